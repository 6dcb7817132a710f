import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { decideVerdict, type Json, parseDossier, parseTrustFile, utf8 } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { formatVerdict } from './verdict-table.ts'

const crypto = createNodeCrypto()

/** The table of a vector's verdict, its lines joined. */
function tableOf(name: string): string {
  const path = new URL(`../../../vectors/verdict/${name}.json`, import.meta.url)
  const vector = JSON.parse(readFileSync(path, 'utf8')) as { trust: string; dossier: Json; atMs: number }
  const trust = parseTrustFile(crypto, utf8(vector.trust))
  const dossier = parseDossier(utf8(JSON.stringify(vector.dossier)))
  return formatVerdict(decideVerdict(dossier, { crypto, trust, atMs: vector.atMs })).replace(/\s+/g, ' ')
}

test('the table says when the answer was recorded, by whose word', () => {
  const both = tableOf('time-from-the-cited-head')
  assert.match(both, /recorded after 2026-09-21T14:12:00\.000Z and before 2026-09-21T14:13:00\.999Z, /)
  assert.match(both, /by the word of witness a, witness b, witness c; the operator says 2026-09-21T14:13:20\.003Z/)
  const open = tableOf('time-by-the-second-of-three')
  assert.match(
    open,
    /recorded before 2026-09-21T14:13:00\.999Z, by the word of witness b, witness c; the operator says/,
  )
  assert.match(open, /nothing in the dossier shows that the head which it cites was witnessed/)
  assert.match(tableOf('time-that-the-operator-contradicts'), /the operator’s own time lies outside of that/)
  const asserted = tableOf('honest')
  assert.match(asserted, /Z the operator says 2026-09-21T14:13:20\.003Z the policy asks for no witness/)
  assert.doesNotMatch(tableOf('cut-log'), /the operator says/)
})
