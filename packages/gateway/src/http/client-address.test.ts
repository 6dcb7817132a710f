import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Subnet } from '../config/config.ts'
import { canonicalAddress, clientAddress, type ForwardingHeaders, networkOf, trustIn } from './client-address.ts'

const PROXIES: readonly Subnet[] = [
  { address: '10.0.0.0', prefix: 8, family: 'ipv4' },
  { address: 'fd00::', prefix: 8, family: 'ipv6' },
]
const trusted = trustIn(PROXIES)

function addressOf(socket: string | undefined, headers: ForwardingHeaders = {}): string {
  return clientAddress(socket, headers, trusted)
}

test('without a trusted proxy the socket’s address counts, whatever is said', () => {
  const headers = { xForwardedFor: '192.0.2.1', forwarded: 'for=192.0.2.1' }
  assert.equal(addressOf('198.51.100.7', headers), '198.51.100.7')
  assert.equal(clientAddress('10.0.0.1', headers, trustIn([])), '10.0.0.1')
  assert.equal(addressOf(undefined, headers), 'unknown')
})

test('the nearest hop that is no trusted proxy counts', () => {
  for (const [xForwardedFor, expected] of [
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.66, 192.0.2.1', '192.0.2.1'],
    ['192.0.2.66, 192.0.2.1, 10.1.2.3', '192.0.2.1'],
    ['192.0.2.1, fd00::5, 10.1.2.3', '192.0.2.1'],
    ['10.9.9.9, 10.1.2.3', '10.9.9.9'],
    ['192.0.2.1:4711', '192.0.2.1'],
    ['[2001:DB8:0:0::1]:4711', '2001:db8::1'],
    ['2001:db8:0:0::1', '2001:db8::1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['192.0.2.1, ::ffff:10.1.2.3', '192.0.2.1'],
    ['192.0.2.1, ::ffff:a01:203', '192.0.2.1'],
  ] as const) {
    assert.equal(addressOf('10.0.0.1', { xForwardedFor }), expected, xForwardedFor)
    assert.equal(addressOf('::ffff:10.0.0.1', { xForwardedFor }), expected, xForwardedFor)
  }
  assert.equal(addressOf('fd00::1', { forwarded: 'for=192.0.2.66, for="[2001:db8::1]:80";proto=https' }), '2001:db8::1')
})

test('a hop that is no address ends the way at the proxy that passed it on', () => {
  for (const [xForwardedFor, expected] of [
    ['192.0.2.1, unknown', '10.0.0.1'],
    ['192.0.2.1, garbage, 10.1.2.3', '10.1.2.3'],
    ['', '10.0.0.1'],
    ['192.0.2.1,', '10.0.0.1'],
    ['192.0.2.256', '10.0.0.1'],
    ['fe80::1%eth0', '10.0.0.1'],
    ['192.0.2.1 10.0.0.2', '10.0.0.1'],
    ['http://192.0.2.1', '10.0.0.1'],
  ] as const) {
    assert.equal(addressOf('10.0.0.1', { xForwardedFor }), expected, xForwardedFor)
  }
  assert.equal(addressOf('10.0.0.1', { forwarded: 'for=192.0.2.1, for="' }), '10.0.0.1')
  assert.equal(addressOf('10.0.0.1', { forwarded: 'for=192.0.2.1, for=_hidden' }), '10.0.0.1')
  assert.equal(addressOf('10.0.0.1', { forwarded: 'for=192.0.2.1, proto=https' }), '10.0.0.1')
})

test('a proxy sets one of the headers: who sends the other as well gains nothing', () => {
  const real = '192.0.2.1'
  assert.equal(addressOf('10.0.0.1', { xForwardedFor: real, forwarded: 'for=203.0.113.9' }), '10.0.0.1')
  assert.equal(addressOf('10.0.0.1', { xForwardedFor: '203.0.113.9', forwarded: `for=${real}` }), '10.0.0.1')
  assert.equal(addressOf('10.0.0.1', { xForwardedFor: real, forwarded: `for=${real}` }), real)
})

test('an address has one form', () => {
  for (const [text, expected] of [
    ['2001:0DB8:0000:0000:0000:0000:0000:0001', '2001:db8::1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['::1', '::1'],
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.01', undefined],
    ['fe80::1%1', undefined],
    ['', undefined],
  ] as const) {
    assert.equal(canonicalAddress(text), expected, text)
  }
})

test('ranges of IPv4 in IPv6 are ranges of IPv4', () => {
  const mapped = trustIn([{ address: '::ffff:10.0.0.0', prefix: 104, family: 'ipv6' }])
  assert.equal(mapped('10.200.0.1'), true)
  assert.equal(mapped('11.0.0.1'), false)
})

test('whatever a client writes, it is what its proxy saw', () => {
  const text = fc.oneof(
    fc.string(),
    fc.stringMatching(/^[",;=\\a-f0-9.: []*$/),
    fc.ipV4(),
    fc.ipV6(),
    fc.constantFrom('for="', 'for=10.0.0.9, for="', '10.0.0.2', '::ffff:10.0.0.2', 'unknown'),
  )
  fc.assert(
    fc.property(text, text, fc.boolean(), (mine, other, isStandard) => {
      const client = '198.51.100.17'
      const headers = isStandard
        ? { forwarded: `${mine}, for=${client}`, xForwardedFor: other }
        : { xForwardedFor: `${mine}, ${client}`, forwarded: other }
      const { forwarded, xForwardedFor } = headers
      const alone = isStandard ? { forwarded } : { xForwardedFor }
      assert.ok([client, '10.0.0.1'].includes(addressOf('10.0.0.1', headers)))
      assert.ok((isStandard ? [client, '10.0.0.1'] : [client]).includes(addressOf('10.0.0.1', alone)))
    }),
    { numRuns: 2000 },
  )
})

test('any headers give an address, in canonical form', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.oneof(fc.ipV4(), fc.ipV6()), (forwarded, xForwardedFor, socket) => {
      const address = addressOf(socket, { forwarded, xForwardedFor })
      assert.ok(isIP(address) > 0)
      assert.equal(canonicalAddress(address), address)
    }),
  )
})

test('limits count an IPv6 address with all others of its network, and an IPv4 address by itself', () => {
  for (const [address, network] of [
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:db8:0:0:ffff:ffff:ffff:ffff', '2001:db8:0:0::/64'],
    ['2001:db8:0:1::', '2001:db8:0:1::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4::/64'],
    ['unknown', 'unknown'],
  ] as const) {
    assert.equal(networkOf(address), network)
  }
  const group = fc.integer({ min: 0, max: 0xffff })
  const groups = (length: number) => fc.array(group, { minLength: length, maxLength: length })
  const property = fc.property(groups(4), groups(4), groups(4), (network, one, other) => {
    const of = (rest: readonly number[]) => {
      const text = [...network, ...rest].map((each) => each.toString(16)).join(':')
      return networkOf(canonicalAddress(text) ?? '')
    }
    // The network of IPv4 addresses in IPv6 is no network.
    if (network.every((each) => each === 0)) return
    assert.equal(of(one), of(other))
    assert.equal(of(one), `${network.map((each) => each.toString(16)).join(':')}::/64`)
  })
  fc.assert(property, { seed: 20_261_128, numRuns: 300 })
})
