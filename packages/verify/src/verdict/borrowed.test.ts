/** What other operators, other logs and other answers say must not be borrowed for this one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8 } from '../bytes/bytes.ts'
import { createNodeCrypto } from '../crypto/node-provider.ts'
import { parseDossier } from '../dossier/dossier.ts'
import { jsonBytes, NOW_MS, statementSigner } from '../fixture.testing.ts'
import { NO_COMMON_HISTORY } from '../misbehaviour/common-history.ts'
import { buildScene, partyText, sceneDossier } from '../scene.testing.ts'
import { parseStatement } from '../statement/statement.ts'
import { parseTrustFile } from '../trust/trust-file.ts'
import { decideVerdict, findRow } from './verdict.ts'

const crypto = createNodeCrypto()
const scene = buildScene()
const dossier = parseDossier(jsonBytes(sceneDossier(scene)))

function decide(trustText: string, misbehaviour?: Parameters<typeof decideVerdict>[1]['misbehaviour']) {
  const trust = parseTrustFile(crypto, utf8(trustText))
  return decideVerdict(dossier, {
    crypto,
    trust,
    atMs: NOW_MS,
    ...(misbehaviour === undefined ? {} : { misbehaviour }),
  })
}

test('the manifest of another operator carries neither the model nor an acceptance', () => {
  const borrower = statementSigner('another operator')
  const own = buildScene()
  const { index } = own.log.append(parseStatement(dossier.receipt.envelope.payload), borrower)
  const borrowed = { ...own, index, promise: own.log.promise(index, own.receiptId) }
  const trust = parseTrustFile(crypto, utf8(own.trustText + partyText('Another Operator', 'operator', borrower)))
  const verdict = decideVerdict(parseDossier(jsonBytes(sceneDossier(borrowed))), { crypto, trust, atMs: NOW_MS })
  assert.equal(findRow(verdict, 'record').status, 'holds')
  for (const claim of ['model', 'accountable'] as const) {
    const row = findRow(verdict, claim)
    assert.equal(row.status, 'refuted')
    assert.equal(row.checks.find((check) => check.result === 'fail')?.code, 'statement/mismatch')
  }
})

test('statements of a log that is proven to misbehave carry nothing', () => {
  const honest = decide(scene.trustText, [])
  assert.equal(findRow(honest, 'model').status, 'holds')
  const forked = decide(scene.trustText, [
    { kind: 'two-heads-of-one-size', log: scene.log.signer.key.name, summary: 'x', ...NO_COMMON_HISTORY },
  ])
  assert.deepEqual(
    ['record', 'model', 'accountable'].map((claim) => findRow(forked, claim as 'record').status),
    ['refuted', 'unproven', 'unproven'],
  )
})

test('an answer that ended in an error has no model behind it', () => {
  const failed = buildScene({ predicate: { finish: { reason: 'error', by: 'upstream' } } })
  const trust = parseTrustFile(crypto, utf8(failed.trustText))
  const verdict = decideVerdict(parseDossier(jsonBytes(sceneDossier(failed))), { crypto, trust, atMs: NOW_MS })
  assert.equal(findRow(verdict, 'record').status, 'holds')
  assert.equal(findRow(verdict, 'model').status, 'unproven')
})
