import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cutPieces, type GeneratedPiece } from './pieces.ts'

const fromBytes = (tokens: readonly number[]) => new TextDecoder().decode(Uint8Array.from(tokens))

async function cut(text: string, limit: number, stop: readonly string[] = []) {
  let taken = 0
  async function* tokens() {
    for (const byte of Buffer.from(text)) {
      taken += 1
      yield byte
    }
  }
  const generator = cutPieces(tokens(), fromBytes, limit, stop)
  const pieces: GeneratedPiece[] = []
  for (;;) {
    const next = await generator.next()
    if (next.done) return { pieces, taken, ...next.value }
    pieces.push(next.value)
  }
}

test('pieces are never empty, and their tokens add up', async () => {
  const { pieces, finish, completionTokens } = await cut('a🙂b', 100)
  assert.deepEqual(pieces, [
    { text: 'a', tokens: 1 },
    { text: '🙂', tokens: 4 },
    { text: 'b', tokens: 1 },
  ])
  assert.deepEqual({ finish, completionTokens }, { finish: 'stop', completionTokens: 6 })
})

test('the limit ends it, with not one token more taken', async () => {
  const { pieces, finish, completionTokens, taken } = await cut('a🙂b', 3)
  assert.deepEqual(pieces, [
    { text: 'a', tokens: 1 },
    { text: '\ufffd', tokens: 2 },
  ])
  assert.deepEqual({ finish, completionTokens, taken }, { finish: 'length', completionTokens: 3, taken: 3 })
})

test('a stop text ends it and is not given', async () => {
  const { pieces, finish, completionTokens, taken } = await cut('abcdef', 100, ['cd'])
  assert.equal(pieces.map(({ text }) => text).join(''), 'ab')
  assert.deepEqual({ finish, completionTokens, taken }, { finish: 'stop', completionTokens: 4, taken: 4 })
})

test('what only began like a stop text is given at the end', async () => {
  const { pieces, finish } = await cut('abc', 3, ['cd'])
  assert.deepEqual(pieces.at(-1), { text: 'c', tokens: 1 })
  assert.equal(finish, 'length')
})
