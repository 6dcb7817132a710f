/** Event logs and the registers that they give, made for tests. */
import { sha384 } from '@noble/hashes/sha2.js'
import { concat, parseHex, toHex, utf8 } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { u16, u32 } from '../tdx/tdx-evidence.testing.ts'

export const RUNTIME_EVENT = 0x08000001

type Event = { readonly [field: string]: Json }

/** An event of the guest's system, of either version. */
export function runtimeEvent(event: string, payload: string, version: 1 | 2 = 1): Event {
  const json = `{"name":${JSON.stringify(event)},"payload":"${payload}","type":134217729}`
  const first = concat(parseHex('01000008'), utf8(`:${event}:`), parseHex(payload))
  const digest = toHex(sha384(version === 1 ? first : utf8(json)))
  const more = version === 1 ? {} : { version, preimage: toHex(utf8(json)) }
  return { imr: 3, event_type: RUNTIME_EVENT, digest, event, event_payload: payload, ...more }
}

/** An event of the firmware. */
export function bootEvent(imr: number, digest: Uint8Array): Event {
  return { imr, event_type: 4, digest: toHex(digest), event: '', event_payload: '00000000' }
}

/** What a register holds after these digests. */
export function replayed(digests: readonly Uint8Array[]): Uint8Array {
  return digests.reduce((register, digest) => sha384(concat(register, digest)), new Uint8Array(48))
}

/** What each register holds after the events of a log, by the digests that it gives. */
export function registersOf(events: readonly Event[]): readonly Uint8Array[] {
  return [0, 1, 2, 3].map((imr) =>
    replayed(events.filter((event) => event.imr === imr).map(({ digest }) => parseHex(digest as string))),
  )
}

export const COMPOSE_HASH = 'c1'.repeat(32)

/** What a guest of dstack measures as it starts, with an event of the application at the end. */
export function guestEvents(version: 1 | 2 = 1): readonly Event[] {
  const event = (name: string, payload: string) => runtimeEvent(name, payload, version)
  return [
    ...[0, 1, 2, 0].map((imr, i) => bootEvent(imr, new Uint8Array(48).fill(i + 1))),
    event('system-preparing', ''),
    event('app-id', 'aa'.repeat(20)),
    event('compose-hash', COMPOSE_HASH),
    event('instance-id', 'bb'.repeat(20)),
    event('os-image-hash', 'dd'.repeat(32)),
    event('key-provider', toHex(utf8('{"name":"none","id":""}'))),
    event('system-ready', ''),
    event('of the application: anything', '00'),
  ]
}

export function dstackLog(events: readonly Event[]): Uint8Array {
  return utf8(JSON.stringify(events))
}

interface CcelEvent {
  readonly index: number
  readonly type?: number
  readonly digest: Uint8Array
  readonly data?: Uint8Array
}

/** The first event of a CCEL, with the digests that it announces. */
export function specIdEvent(algorithms: readonly (readonly [id: number, bytes: number])[] = [[0x0c, 48]]): Uint8Array {
  const event = concat(
    ...[utf8('Spec ID Event03\0'), u32(0), Uint8Array.of(0, 2, 0, 2), u32(algorithms.length)],
    ...algorithms.map(([id, bytes]) => concat(u16(id), u16(bytes))),
    Uint8Array.of(0),
  )
  return concat(u32(1), u32(3), new Uint8Array(20), u32(event.length), event)
}

/** A CCEL of these events, with bytes of `padding` behind it. */
export function ccel(events: readonly CcelEvent[], padding = new Uint8Array(64).fill(0xff)): Uint8Array {
  const each = ({ index, type = 4, digest, data = utf8('data') }: CcelEvent) =>
    concat(u32(index), u32(type), u32(1), u16(0x0c), digest, u32(data.length), data)
  return concat(specIdEvent(), ...events.map(each), padding)
}
