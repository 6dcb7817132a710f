import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ApiKey } from './api-key.ts'
import { createBudgets, MAX_OPEN_RESERVATIONS, type Reservation, type Spend, secondsToNextMonth } from './budgets.ts'

const KEY: ApiKey = {
  id: 'key_a',
  name: 'a',
  deployments: 'all',
  rights: ['infer'],
  createdAtMs: 0,
  monthlyBudget: { amountMicros: 1000, currency: 'EUR' },
}
const JANUARY_MS = Date.UTC(2027, 0, 31, 23, 59, 59, 999)
const FEBRUARY_MS = JANUARY_MS + 1
const nothing = (): readonly Spend[] => []

function spend(changes: Partial<Spend>): Spend {
  const tokens = { requests: 1, inputTokens: 1, outputTokens: 1 }
  return { keyId: 'key_a', deployment: 'd', day: '2027-01-10', currency: 'EUR', amountMicros: 1, ...tokens, ...changes }
}

test('a budget is spent to the last micro, and no further', () => {
  const budgets = createBudgets(nothing, JANUARY_MS)
  const first = budgets.reserve(KEY, 600, 'EUR', JANUARY_MS)
  assert.throws(() => budgets.reserve(KEY, 401, 'EUR', JANUARY_MS), { code: 'budget/exceeded' })
  budgets.reserve(KEY, 400, 'EUR', JANUARY_MS)
  assert.throws(() => budgets.reserve(KEY, 1, 'EUR', JANUARY_MS), { code: 'budget/exceeded' })
  budgets.reserve(KEY, 0, 'EUR', JANUARY_MS)
  budgets.settle(first, 100)
  assert.deepEqual(budgets.balance(KEY, JANUARY_MS), { spentMicros: 100, reservedMicros: 400 })
  budgets.reserve(KEY, 500, 'EUR', JANUARY_MS)
})

test('where nobody knows what it cost, the estimate stands', () => {
  const budgets = createBudgets(nothing, JANUARY_MS)
  budgets.settle(budgets.reserve(KEY, 700, 'EUR', JANUARY_MS), 'unknown')
  assert.deepEqual(budgets.balance(KEY, JANUARY_MS), { spentMicros: 700, reservedMicros: 0 })
  assert.throws(() => budgets.reserve(KEY, 301, 'EUR', JANUARY_MS), { code: 'budget/exceeded' })
})

test('what cost more than was set aside counts in full, and the next one is refused', () => {
  const budgets = createBudgets(nothing, JANUARY_MS)
  budgets.settle(budgets.reserve(KEY, 10, 'EUR', JANUARY_MS), 1500)
  assert.deepEqual(budgets.balance(KEY, JANUARY_MS), { spentMicros: 1500, reservedMicros: 0 })
  assert.throws(() => budgets.reserve(KEY, 0, 'EUR', JANUARY_MS), { code: 'budget/exceeded' })
})

test('a reservation is settled once', () => {
  const budgets = createBudgets(nothing, JANUARY_MS)
  const one = budgets.reserve(KEY, 300, 'EUR', JANUARY_MS)
  budgets.reserve(KEY, 300, 'EUR', JANUARY_MS)
  budgets.settle(one, 0)
  for (const again of [0, 50, 'unknown'] as const) budgets.settle(one, again)
  budgets.settle({ ...one }, 1000)
  assert.deepEqual(budgets.balance(KEY, JANUARY_MS), { spentMicros: 0, reservedMicros: 300 })
})

test('a key without a budget may spend anything, in any currency', () => {
  const budgets = createBudgets(nothing, JANUARY_MS)
  const { monthlyBudget: _, ...free } = KEY
  const reservation = budgets.reserve(free, Number.MAX_SAFE_INTEGER, 'JPY', JANUARY_MS)
  assert.deepEqual(reservation, {
    keyId: 'key_a',
    day: '2027-01-31',
    currency: 'JPY',
    amountMicros: Number.MAX_SAFE_INTEGER,
  })
  budgets.settle(reservation, 5)
  assert.equal(budgets.balance(free, JANUARY_MS), undefined)
})

test('two currencies never meet', () => {
  const rows = [spend({ amountMicros: 400 }), spend({ amountMicros: 999_999, currency: 'USD' })]
  const budgets = createBudgets(() => rows, JANUARY_MS)
  assert.equal(budgets.balance(KEY, JANUARY_MS)?.spentMicros, 400)
  assert.throws(() => budgets.reserve(KEY, 1, 'USD', JANUARY_MS), { code: 'budget/other-currency' })
  assert.throws(() => budgets.reserve(KEY, 0, 'eur', JANUARY_MS), { code: 'budget/other-currency' })
  budgets.reserve(KEY, 600, 'EUR', JANUARY_MS)
})

test('the month turns at midnight UTC; what is open belongs to the month it began in', () => {
  const budgets = createBudgets(nothing, JANUARY_MS)
  const open = budgets.reserve(KEY, 1000, 'EUR', JANUARY_MS)
  assert.throws(() => budgets.reserve(KEY, 1, 'EUR', JANUARY_MS), { code: 'budget/exceeded' })
  const next = budgets.reserve(KEY, 1000, 'EUR', FEBRUARY_MS)
  assert.deepEqual([open.day, next.day], ['2027-01-31', '2027-02-01'])
  budgets.settle(open, 900)
  assert.deepEqual(budgets.balance(KEY, FEBRUARY_MS), { spentMicros: 0, reservedMicros: 1000 })
  assert.deepEqual(budgets.balance(KEY, JANUARY_MS), { spentMicros: 900, reservedMicros: 0 })
  assert.throws(() => budgets.reserve(KEY, 101, 'EUR', JANUARY_MS), { code: 'budget/exceeded' }, 'a clock stepped back')
  budgets.settle(next, 1)
  assert.deepEqual(budgets.balance(KEY, FEBRUARY_MS), { spentMicros: 1, reservedMicros: 0 })
})

test('what is two months old is forgotten, and settling it then hurts nobody', () => {
  const budgets = createBudgets(nothing, JANUARY_MS)
  const old = budgets.reserve(KEY, 1000, 'EUR', JANUARY_MS)
  const marchMs = Date.UTC(2027, 2, 1)
  const now = budgets.reserve(KEY, 1000, 'EUR', marchMs)
  budgets.settle(old, 'unknown')
  budgets.settle(now, 7)
  assert.deepEqual(budgets.balance(KEY, JANUARY_MS), { spentMicros: 0, reservedMicros: 0 }, 'forgotten')
  assert.deepEqual(budgets.balance(KEY, marchMs), { spentMicros: 7, reservedMicros: 0 })
})

test('at the start the durable spend of this month counts, of every deployment', () => {
  const rows = [
    spend({ amountMicros: 100 }),
    spend({ amountMicros: 200, deployment: 'e', day: '2027-01-31' }),
    spend({ amountMicros: 400, day: '2026-12-31' }),
    spend({ amountMicros: 800, day: '2026-11-30' }),
    spend({ amountMicros: 1600, keyId: 'key_b' }),
  ]
  const budgets = createBudgets(() => rows, JANUARY_MS)
  assert.equal(budgets.balance(KEY, JANUARY_MS)?.spentMicros, 300)
  assert.equal(budgets.balance(KEY, Date.UTC(2026, 11, 5))?.spentMicros, 400)
  assert.equal(budgets.balance(KEY, Date.UTC(2026, 10, 5))?.spentMicros, 0)
})

test('sums and amounts beyond a safe integer are refused', () => {
  const max = Number.MAX_SAFE_INTEGER
  for (const rows of [[spend({ amountMicros: -1 })], [spend({ amountMicros: 0.5 })]]) {
    assert.throws(() => createBudgets(() => rows, JANUARY_MS), { code: 'data/damaged' })
  }
  const rich = { ...KEY, monthlyBudget: { amountMicros: max, currency: 'EUR' } }
  const full = createBudgets(() => [spend({ amountMicros: max }), spend({})], JANUARY_MS)
  assert.equal(
    full.balance(rich, JANUARY_MS)?.spentMicros,
    max,
    'a sum beyond bounds does not keep a gateway from its start',
  )
  assert.throws(() => full.reserve(rich, 1, 'EUR', JANUARY_MS), { code: 'budget/exceeded' })
  const budgets = createBudgets(nothing, JANUARY_MS)
  for (const amount of [-1, 0.5, max + 1, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => budgets.reserve(rich, amount, 'EUR', JANUARY_MS), { code: 'shape/bad-value' })
  }
  const all = budgets.reserve(rich, max, 'EUR', JANUARY_MS)
  assert.throws(() => budgets.reserve(rich, max, 'EUR', JANUARY_MS), { code: 'budget/exceeded' })
  assert.throws(() => budgets.settle(all, -5), { code: 'shape/bad-value' })
  assert.equal(budgets.balance(rich, JANUARY_MS)?.reservedMicros, max, 'still open')
  budgets.settle(all, 0)
  const [first, second] = [budgets.reserve(rich, 1, 'EUR', JANUARY_MS), budgets.reserve(rich, 1, 'EUR', JANUARY_MS)]
  budgets.settle(first, max)
  budgets.settle(second, max)
  assert.equal(budgets.balance(rich, JANUARY_MS)?.spentMicros, max)
})

test('there are at most so many open reservations', () => {
  const budgets = createBudgets(nothing, JANUARY_MS)
  const { monthlyBudget: _, ...free } = KEY
  const open = Array.from({ length: MAX_OPEN_RESERVATIONS }, () => budgets.reserve(free, 0, 'EUR', JANUARY_MS))
  assert.throws(() => budgets.reserve(free, 0, 'EUR', JANUARY_MS), { code: 'queue/full' })
  const [one] = open
  assert.ok(one !== undefined)
  budgets.settle(one, 0)
  budgets.reserve(free, 0, 'EUR', JANUARY_MS)
})

type Act =
  | { readonly kind: 'reserve'; readonly key: 0 | 1; readonly amount: number; readonly passMs: number }
  | { readonly kind: 'settle'; readonly which: number; readonly share: number | 'unknown' }

const ACT: fc.Arbitrary<Act> = fc.oneof(
  fc.record({
    kind: fc.constant('reserve' as const),
    key: fc.constantFrom(0 as const, 1 as const),
    amount: fc.integer({ min: 0, max: 500 }),
    passMs: fc.integer({ min: 0, max: 5 * 86_400_000 }),
  }),
  fc.record({
    kind: fc.constant('settle' as const),
    which: fc.nat(60),
    share: fc.oneof(fc.integer({ min: 0, max: 100 }), fc.constant('unknown' as const)),
  }),
)

test('whatever happens in whatever order, no month of a key is over its budget, and the books are right', () => {
  fc.assert(
    fc.property(fc.array(ACT, { maxLength: 80 }), (acts) => {
      const keys = [KEY, { ...KEY, id: 'key_b', monthlyBudget: { amountMicros: 300, currency: 'EUR' } }] as const
      const budgets = createBudgets(nothing, Date.UTC(2027, 0, 1))
      const made: Reservation[] = []
      const open = new Set<Reservation>()
      const spent = new Map<string, bigint>()
      let nowMs = Date.UTC(2027, 0, 1)
      const account = ({ keyId, day }: Reservation) => `${keyId} ${day.slice(0, 7)}`
      const check = () => {
        for (const key of keys) {
          const id = `${key.id} ${new Date(nowMs).toISOString().slice(0, 7)}`
          const held = [...open].filter((each) => account(each) === id).map(({ amountMicros }) => BigInt(amountMicros))
          const reserved = held.reduce((sum, each) => sum + each, 0n)
          const balance = budgets.balance(key, nowMs)
          assert.equal(BigInt(balance?.reservedMicros ?? -1), reserved)
          assert.equal(BigInt(balance?.spentMicros ?? -1), spent.get(id) ?? 0n)
          assert.ok(reserved + (spent.get(id) ?? 0n) <= BigInt(key.monthlyBudget?.amountMicros ?? 0))
        }
      }
      for (const act of acts) {
        if (act.kind === 'reserve') {
          nowMs += act.passMs
          try {
            const reservation = budgets.reserve(keys[act.key], act.amount, 'EUR', nowMs)
            made.push(reservation)
            open.add(reservation)
          } catch (thrown) {
            assert.equal((thrown as { code?: unknown }).code, 'budget/exceeded')
          }
        } else {
          const reservation = made[act.which % Math.max(1, made.length)]
          if (reservation === undefined) continue
          const { amountMicros } = reservation
          const actual = act.share === 'unknown' ? act.share : Math.floor((amountMicros * act.share) / 100)
          budgets.settle(reservation, actual)
          if (open.delete(reservation)) {
            const cost = BigInt(actual === 'unknown' ? amountMicros : actual)
            spent.set(account(reservation), (spent.get(account(reservation)) ?? 0n) + cost)
          }
        }
        check()
      }
    }),
  )
})

test('a budget is whole again when the next month begins', () => {
  assert.equal(secondsToNextMonth(JANUARY_MS), 1)
  assert.equal(secondsToNextMonth(FEBRUARY_MS), 28 * 86_400)
  assert.equal(secondsToNextMonth(Date.UTC(2027, 11, 31)), 86_400)
})
