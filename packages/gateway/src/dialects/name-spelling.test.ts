import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scanObject } from './json-scan.ts'
import { requireOneSpelling } from './name-spelling.ts'

const check = (text: string) => requireOneSpelling(scanObject(Buffer.from(text)), ['model', 'stream', 'topK'])

test('a name that is one of ours but for case is refused, whether ours is there too or not', () => {
  const names = ['Model', 'MODEL', 'Stream', 'topk', 'TopK', '\\u004dodel', '\u017ftream', 'top\u212a']
  for (const name of names) {
    assert.throws(() => check(`{"${name}":1}`), { code: 'json/duplicate-key' }, name)
    assert.throws(() => check(`{"model":1,"${name}":1}`), { code: 'json/duplicate-key' }, name)
  }
  check('{"model":1,"stream":1,"topK":1,"mode":1,"models":1,"Other":1,"other":2,"a":{"Model":1}}')
})
