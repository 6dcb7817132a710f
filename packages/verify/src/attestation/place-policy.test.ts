import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Json } from '../bytes/json.ts'
import { readPlacePolicy } from './place-policy.ts'

type Values = { readonly [name: string]: readonly string[] }

const value = '5a'.repeat(48)
const read = (tee: string, measurements: Values, signers: Values = {}) =>
  readPlacePolicy({ tee, measurements, signers } satisfies Json, 'policy')

/** Policies that name something, and that any program can meet. */
const OPEN: readonly (readonly [why: string, tee: string, measurements: Values, signers?: Values])[] = [
  ['a kernel that many enclaves share', 'nitro', { pcr1: [value] }],
  ['an application under any kernel', 'nitro', { pcr2: [value] }],
  ['an enclave that nobody signed', 'nitro', { pcr8: ['00'.repeat(48)] }],
  ['one signer, or nobody', 'nitro', { pcr8: [value, '00'.repeat(48)] }],
  ['a register of a TPM that the guest resets', 'maa', { pcr16: [value], pcr23: [value] }],
  ['host data that nobody set', 'maa', { hostdata: ['00'.repeat(32)] }],
  ['a register that nothing was measured into', 'azure-vtpm', { pcr14: ['00'.repeat(32)], measurement: [value] }],
  ['a paravisor that nobody signed', 'azure-vtpm', { pcr4: [value] }, { idkeydigest: ['00'.repeat(48)] }],
  ['a guest that nobody signed', 'sev-snp', {}, { idkeydigest: ['00'.repeat(48)] }],
]

for (const [why, tee, measurements, signers] of OPEN) {
  test(`a policy for ${tee} is empty that names ${why}`, () => {
    assert.throws(() => read(tee, measurements, signers), { code: 'place-policy/empty' })
  })
}

test('registers that may be zero can be named beside those that tell the code', () => {
  assert.doesNotThrow(() => read('nitro', { pcr0: [value], pcr1: [value], pcr8: ['00'.repeat(48)] }))
  assert.doesNotThrow(() => read('azure-vtpm', { pcr4: [value], pcr14: ['00'.repeat(32)], measurement: [value] }))
})

test('names are told by their exact letters', () => {
  for (const name of ['MRTD', 'Mrtd', 'mrtd ', '__proto__', 'constructor', 'toString', 'mr\u0074d\u200b']) {
    const measurements = JSON.parse(`{"mrtd":["${value}"],${JSON.stringify(name)}:["${value}"]}`)
    assert.throws(() => read('tdx', measurements), { code: 'place-policy/malformed' })
  }
})
