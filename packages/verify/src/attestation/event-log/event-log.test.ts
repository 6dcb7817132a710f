import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { concat, parseHex, utf8 } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { withValueAt } from '../../bytes/json-edit.testing.ts'
import { createNodeCrypto } from '../../crypto/node-provider.ts'
import { checkProperty, expectTyped } from '../../fuzzing.testing.ts'
import { changedBytes } from '../../mutation.testing.ts'
import { parseCcel } from './ccel.ts'
import { parseDstackLog } from './dstack.ts'
import {
  bootEvent,
  COMPOSE_HASH,
  ccel,
  dstackLog,
  guestEvents,
  registersOf,
  replayed,
  runtimeEvent,
  specIdEvent,
} from './event-log.testing.ts'
import { verifyEventLog } from './event-log.ts'

type Events = ReturnType<typeof guestEvents>

const crypto = createNodeCrypto()
const NO_CONFIG: Uint8Array = new Uint8Array(48)
const digest = (value: number) => new Uint8Array(48).fill(value)

function read(events: Events, registers = registersOf(events), mrConfigId = NO_CONFIG) {
  return verifyEventLog(crypto, { format: 'dstack', content: dstackLog(events) }, registers, mrConfigId)
}

test('dstack: both versions replay, and name what runs', () => {
  for (const version of [1, 2] as const) {
    const { registers, values } = read(guestEvents(version))
    assert.deepEqual(registers, [0, 1, 2, 3])
    assert.deepEqual(Object.fromEntries(values), {
      'app-id': 'aa'.repeat(20),
      'compose-hash': COMPOSE_HASH,
      'instance-id': 'bb'.repeat(20),
      'os-image-hash': 'dd'.repeat(32),
      'key-provider': '7b226e616d65223a226e6f6e65222c226964223a22227d',
    })
  }
})

test('dstack: digests of the guest may be left out, and of the firmware may not', () => {
  const events = guestEvents()
  const stripped = events.map((event) => (event.imr === 3 ? { ...event, digest: '' } : event))
  assert.deepEqual(read(stripped, registersOf(events)), read(events))
  const bare = events.map((event) => ({ ...event, digest: '' }))
  assert.throws(() => read(bare, registersOf(events)), { code: 'shape/bad-value' })
})

test('dstack: a log that speaks of some registers alone says nothing of the others', () => {
  const events = guestEvents()
  const { registers } = read(
    events.filter(({ imr }) => imr === 3),
    registersOf(events),
  )
  assert.deepEqual(registers, [3])
  const { values } = read(
    events.filter(({ imr }) => imr !== 3),
    registersOf(events),
  )
  assert.equal(values.size, 0)
})

test('dstack: MRCONFIGID of the first form names the compose hash of the log', () => {
  const config = (hash: string, tail = '00'.repeat(15)) => parseHex(`01${hash}${tail}`)
  const events = guestEvents()
  read(events, registersOf(events), config(COMPOSE_HASH))
  for (const other of [config('c2'.repeat(32)), config(COMPOSE_HASH, `01${'00'.repeat(14)}`)]) {
    assert.throws(() => read(events, registersOf(events), other), { code: 'evidence/mismatch' })
  }
  read(events, registersOf(events), concat(Uint8Array.of(2), digest(9).subarray(1)))
})

const edited = (at: number, field: string, value: Json) => (events: Events) =>
  withValueAt(events, [at, field], value) as Events
const appended = (name: string, payload: string) => (events: Events) => [...events, runtimeEvent(name, payload)]
const first = (name: string, payload: string) => (events: Events) => [runtimeEvent(name, payload), ...events]

/** Changes of a log whose registers stay as they were. */
const REFUSED: readonly (readonly [what: string, change: (events: Events) => Events])[] = [
  ['an event of the firmware changed', edited(0, 'digest', '09'.repeat(48))],
  ['an event left out', (events) => events.slice(0, -1)],
  ['an event more', appended('x', '00')],
  [
    'two events in the other order',
    (events) => [...events.slice(0, 5), ...events.slice(5, 7).reverse(), ...events.slice(7)],
  ],
  ['another compose hash, with its old digest', edited(6, 'event_payload', 'c2'.repeat(32))],
  ['another name, with its old digest', edited(6, 'event', 'other')],
  ['a digest made in the other way', edited(6, 'version', 2)],
  ['an event moved to another register', edited(6, 'imr', 2)],
]

for (const [what, change] of REFUSED) {
  test(`dstack: ${what} is refused`, () => {
    const events = guestEvents()
    assert.throws(() => read(change(events), registersOf(events)), { code: 'evidence/mismatch' })
  })
}

/** Logs that replay, and say two things. */
const AMBIGUOUS: readonly (readonly [what: string, change: (events: Events) => Events])[] = [
  ['a name that came twice with different values', first('compose-hash', 'ff')],
  ['a name that the application measured again', appended('compose-hash', 'ff')],
  ['a name that could end earlier', first('compose-hash:', 'ff')],
]

for (const [what, change] of AMBIGUOUS) {
  test(`dstack: ${what} is refused`, () => {
    assert.throws(() => read(change(guestEvents())), { code: 'evidence/mismatch' })
  })
}

test('dstack: what the application measures names nothing', () => {
  const events = guestEvents().filter(({ event }) => event !== 'os-image-hash')
  const { values } = read(appended('os-image-hash', 'ee'.repeat(32))(events))
  assert.equal(values.get('os-image-hash'), undefined)
  // Nor does an event of another kind, or of another register.
  const raw = { ...bootEvent(3, digest(1)), event: 'os-image-hash', event_payload: 'ee' }
  assert.equal(read([...events, raw]).values.get('os-image-hash'), undefined)
  const elsewhere = { ...runtimeEvent('os-image-hash', 'ee'), imr: 2 }
  assert.equal(read([elsewhere, ...events]).values.get('os-image-hash'), undefined)
})

test('dstack: whoever shows the log cannot hide what the guest measured behind its digest', () => {
  const other = 'ee'.repeat(32)
  const evil = guestEvents().map((event) =>
    event.event === 'compose-hash' ? runtimeEvent('compose-hash', other) : event,
  )
  const measured = [...evil, runtimeEvent('compose-hash', COMPOSE_HASH)]
  const hide = (names: readonly string[]) =>
    measured.map((event) =>
      names.includes(String(event.event)) && event.event_payload !== COMPOSE_HASH
        ? { ...event, event_type: 4, event: '', event_payload: '' }
        : event,
    )
  for (const names of [['compose-hash'], ['system-ready'], ['compose-hash', 'system-ready']]) {
    assert.throws(() => read(hide(names), registersOf(measured)), { code: 'evidence/mismatch' })
  }
})

test('dstack: shapes are refused', () => {
  const events = guestEvents()
  const refusals: readonly (readonly [at: number, field: string, value: Json, code: string])[] = [
    [0, 'imr', 4, 'shape/bad-value'],
    [0, 'digest', '00', 'shape/bad-value'],
    [0, 'digest', 'AA'.repeat(48), 'bytes/bad-hex'],
    [6, 'version', 3, 'shape/bad-value'],
    [6, 'event', 5, 'shape/wrong-type'],
    [6, 'surplus', 5, 'shape/unknown-field'],
  ]
  for (const [at, field, value, code] of refusals) {
    assert.throws(() => parseDstackLog(dstackLog(edited(at, field, value)(events))), { code })
  }
  assert.throws(() => parseDstackLog(utf8('{}')), { code: 'shape/wrong-type' })
})

const BOOT = [
  { index: 1, digest: digest(1) },
  { index: 2, digest: digest(2) },
  { index: 1, digest: digest(3) },
  { index: 3, digest: digest(4), data: new Uint8Array(0) },
]
const BOOT_REGISTERS = [replayed([digest(1), digest(3)]), replayed([digest(2)]), replayed([digest(4)]), digest(0)]

function readCcel(content: Uint8Array, registers = BOOT_REGISTERS) {
  return verifyEventLog(crypto, { format: 'ccel', content }, registers, NO_CONFIG)
}

test('CCEL: a log replays, whatever fills its table, and explains the registers that it has events of', () => {
  for (const padding of [new Uint8Array(0), new Uint8Array(4096), new Uint8Array(4096).fill(0xff)]) {
    assert.deepEqual(readCcel(ccel(BOOT, padding)), { registers: [0, 1, 2], values: new Map() })
  }
})

test('CCEL: what is no measurement into an RTMR is passed by', () => {
  const more = [
    { index: 0, digest: digest(7) },
    { index: 1, type: 3, digest: digest(8) },
  ]
  assert.deepEqual(readCcel(ccel([...more, ...BOOT])).registers, [0, 1, 2])
})

test('CCEL: other digests, other registers, other orders do not replay', () => {
  const logs = [
    ccel(BOOT.slice(1)),
    ccel([...BOOT].reverse()),
    ccel([...BOOT, { index: 4, digest: digest(1) }]),
    ccel(BOOT.map((event) => ({ ...event, digest: digest(9) }))),
  ]
  for (const log of logs) assert.throws(() => readCcel(log), { code: 'evidence/mismatch' })
})

test('CCEL: shapes are refused', () => {
  const whole = ccel(BOOT, new Uint8Array(0))
  const broken = [
    ccel([{ index: 5, digest: digest(1) }]),
    whole.subarray(0, -1),
    whole.subarray(1),
    concat(whole, utf8('more')),
    ccel(BOOT, Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0)),
    new Uint8Array(64).fill(0xff),
    new Uint8Array(0),
    specIdEvent([]),
  ]
  for (const log of broken) assert.throws(() => readCcel(log), { code: 'evidence/malformed' })
  const two = [
    [0x0b, 32],
    [0x0c, 48],
  ] as const
  for (const algorithms of [two, two.slice(0, 1)]) {
    assert.throws(() => readCcel(specIdEvent(algorithms)), { code: 'evidence/unsupported' })
  }
})

test('event logs: any bytes, and changes to good ones, give a value or an error of ours', (t) => {
  const logs = [dstackLog(guestEvents()), dstackLog(guestEvents(2)), ccel(BOOT)]
  checkProperty(t, [fc.oneof(fc.uint8Array({ maxLength: 300 }), changedBytes(logs))], 2000, (bytes) => {
    expectTyped(() => parseDstackLog(bytes))
    expectTyped(() => parseCcel(bytes))
    expectTyped(() => readCcel(bytes))
    expectTyped(() => verifyEventLog(crypto, { format: 'dstack', content: bytes }, BOOT_REGISTERS, NO_CONFIG))
  })
})
