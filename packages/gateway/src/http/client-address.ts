/** Whose address a request comes from, as far as that can be known. Good for limits, and proves nothing about anybody. */
import { BlockList, isIP, SocketAddress } from 'node:net'
import type { Subnet } from '../config/config.ts'
import { forwardedForHops, forwardedHops } from './forwarded.ts'

/** What a request says of its way. */
export interface ForwardingHeaders {
  /** `Forwarded`. */
  readonly forwarded?: string | undefined
  /** `X-Forwarded-For`. */
  readonly xForwardedFor?: string | undefined
}

/** Says whether an address, as {@link canonicalAddress} gives it, is of a proxy whose word counts. */
export type ProxyTrust = (address: string) => boolean

/** The address of a socket that is gone already. */
const UNKNOWN = 'unknown'

/** Prefix of IPv6 addresses that are IPv4 ones. @spec RFC 4291 §2.5.5.2 */
const MAPPED = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/
const MAPPED_PREFIX_BITS = 96

/** `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`. */
const HOP = /^(?:\[([0-9A-Fa-f:.]{2,45})\](?::\d{1,5})?|([0-9.]{7,15})(?::\d{1,5})?|([0-9A-Fa-f:.]{2,45}))$/

/** Trust in the proxies of a configuration. */
export function trustIn(subnets: readonly Subnet[]): ProxyTrust {
  const list = new BlockList()
  for (const { address, prefix, family } of subnets) {
    const canonical = canonicalAddress(address)
    const isMapped = family === 'ipv6' && canonical !== undefined && isIP(canonical) === 4
    if (isMapped && prefix >= MAPPED_PREFIX_BITS) list.addSubnet(canonical, prefix - MAPPED_PREFIX_BITS, 'ipv4')
    else list.addSubnet(address, prefix, family)
  }
  return (address) => list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

/**
 * The nearest address on a request's way that is not a trusted proxy's, in canonical form: IPv6 shortened, IPv4 in IPv6 as
 * IPv4. Without trusted proxies it is the socket's.
 *
 * Never what a client wrote: an address counts only when a trusted proxy put it there. A header that cannot be read, and a
 * hop that is no address, end the way: the proxy that passed it on is then the client. Where both headers are there and
 * disagree, one of them is the client's own, and none counts.
 */
export function clientAddress(
  socketAddress: string | undefined,
  { forwarded, xForwardedFor }: ForwardingHeaders,
  isTrusted: ProxyTrust,
): string {
  const peer = canonicalAddress(socketAddress ?? '')
  if (peer === undefined) return UNKNOWN
  if (!isTrusted(peer)) return peer
  const said = [
    ...(xForwardedFor === undefined ? [] : [forwardedForHops(xForwardedFor)]),
    ...(forwarded === undefined ? [] : [forwardedHops(forwarded) ?? []]),
  ].map((hops) => nearestUntrusted(peer, hops, isTrusted))
  const [first = peer, second = first] = said
  return first === second ? first : peer
}

/** An address in its canonical form, or `undefined` when it is none. */
export function canonicalAddress(text: string): string | undefined {
  const version = isIP(text)
  if (version === 4) return text
  if (version !== 6 || text.includes('%')) return undefined
  const { address } = new SocketAddress({ address: text, family: 'ipv6' })
  return MAPPED.exec(address)?.[1] ?? address
}

/**
 * Whom a limit on addresses counts as one: an IPv4 address, or the network of 64 bits that an IPv6 address is in, since whoever has
 * one address of it has them all.
 *
 * @param address As {@link canonicalAddress} gives it.
 */
export function networkOf(address: string): string {
  if (isIP(address) !== 6) return address
  const [start = [], end = []] = address.split('::').map((part) => (part === '' ? [] : part.split(':')))
  const zeros = Array.from({ length: Math.max(0, 8 - start.length - end.length) }, () => '0')
  return `${[...start, ...zeros, ...end].slice(0, 4).join(':')}::/64`
}

function nearestUntrusted(peer: string, hops: readonly (string | undefined)[], isTrusted: ProxyTrust): string {
  let nearest = peer
  for (const hop of [...hops].reverse()) {
    const [, bracketed, plain, bare] = HOP.exec(hop ?? '') ?? []
    const address = canonicalAddress(bracketed ?? plain ?? bare ?? '')
    if (address === undefined) return nearest
    nearest = address
    if (!isTrusted(address)) return nearest
  }
  return nearest
}
