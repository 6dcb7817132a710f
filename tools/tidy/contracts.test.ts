import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkDocumented, checkVerifyContracts } from './contracts.ts'
import { findingsOf } from './fixture.testing.ts'

for (const text of [
  'function verifyInclusion(): boolean { return true }',
  'const verifyInclusion = (): boolean => true',
  'const verifyInclusion = async (): Promise<boolean> => true',
  'function verifyInclusion(x: unknown): x is string { return true }',
  'interface Verifier { verifyInclusion(): boolean }',
  'interface Verifier { verifyInclusion: () => boolean }',
  'class Verifier { verifyInclusion(): boolean { return true } }',
  'declare const verifyInclusion: () => boolean',
  'function verify(): boolean { return true }',
]) {
  test(`caught: ${text}`, () => {
    const files = { 'packages/verify/src/a.ts': `\n${text}` }
    assert.deepEqual(findingsOf(checkVerifyContracts, files), ['packages/verify/src/a.ts:2 verify-boolean'])
  })
}

test('verifiers that return what they proved, and predicates by other names, pass', () => {
  const text = `
    function verifyInclusion(): void {}
    const verifyHead = (): TreeHead => head
    function verifies(): boolean { return true }
    const isOdd = (value: number): boolean => value % 2 === 1
    interface Options { verifyAll: boolean }`
  assert.deepEqual(findingsOf(checkVerifyContracts, { 'packages/verify/src/a.ts': text }), [])
})

test('exported functions and classes of verify without a comment are caught', () => {
  const text = `export function a() {}
    export class B {}
    export const c = () => 1
    // not a JSDoc comment
    export async function d() {}`
  assert.deepEqual(
    findingsOf(checkDocumented, { 'packages/verify/src/a.ts': text }),
    [1, 2, 3, 5].map((line) => `packages/verify/src/a.ts:${line} undocumented`),
  )
})

test('documented, private, constant, tested and foreign ones pass', () => {
  const text = `/** Does a. */
    export function a() {}
    /** One comment for two overloads. */
    export function b(x: string): void
    export function b(x: number): void
    export const C = 1
    export interface D {}
    function e() {}`
  const files = {
    'packages/verify/src/a.ts': text,
    'packages/verify/src/a.test.ts': 'export function f() {}',
    'packages/gateway/src/a.ts': 'export function g() {}',
  }
  assert.deepEqual(findingsOf(checkDocumented, files), [])
})
