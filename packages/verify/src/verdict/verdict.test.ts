import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8 } from '../bytes/bytes.ts'
import { createNobleCrypto } from '../crypto/noble-provider.ts'
import { createNodeCrypto } from '../crypto/node-provider.ts'
import { parseDossier } from '../dossier/dossier.ts'
import { jsonBytes, NOW_MS } from '../fixture.testing.ts'
import { buildScene, MODEL_DIGEST, sceneDossier } from '../scene.testing.ts'
import { parseTrustFile } from '../trust/trust-file.ts'
import { assessVerdict, decideVerdict, findRow } from './verdict.ts'

for (const [name, crypto] of [
  ['node', createNodeCrypto()],
  ['noble', createNobleCrypto()],
] as const) {
  test(`an honest dossier holds, as far as was checked (${name})`, () => {
    const scene = buildScene()
    const dossier = parseDossier(jsonBytes(sceneDossier(scene)))
    const trust = parseTrustFile(crypto, utf8(scene.trustText))
    const executions = [
      {
        statement: scene.statement,
        outcome: 'ran' as const,
        modelDigest: MODEL_DIGEST,
        profile: 'reference-profile',
        outputs: [{ name: 'y', datatype: 'FP32' as const, shape: [1, 1], data: Float32Array.of(0.25) }],
      },
    ]
    const verdict = decideVerdict(dossier, { crypto, trust, atMs: NOW_MS, executions })
    const rows = verdict.claims.map((row) => `${row.claim} ${row.status} ${row.grade}`)
    assert.deepEqual(rows, [
      'record holds operator-asserted',
      'model holds operator-asserted',
      'place unproven null',
      'output holds re-executed',
      'independence unproven null',
      'outcome unproven null',
      'accountable holds provider-signed',
    ])
    assert.equal(assessVerdict(verdict, []), 'satisfied')
    assert.match(findRow(verdict, 'independence').reason, /nobody but the operator/)
  })
}
