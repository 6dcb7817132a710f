import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { createModelStore } from '@countersign/engines'
import { createMemory, hashLeaf, type Json, parseDossier, parseTrustFile, toHex, utf8 } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { judgeReply } from './judge-entry.ts'

const crypto = createNodeCrypto()

interface VerdictCase {
  readonly atMs: number
  readonly trust: string
  readonly dossier: Json
}

function readCase(name: string): VerdictCase {
  return JSON.parse(readFileSync(new URL(`../../../../vectors/verdict/${name}.json`, import.meta.url), 'utf8'))
}

for (const name of ['auditor-agreed', 'two-auditors', 'auditor-differed']) {
  test(`what other auditors say is no word of one's own: ${name}`, async () => {
    const { atMs, trust, dossier } = readCase(name)
    const models = createModelStore({ folders: [] })
    const body = utf8(JSON.stringify(dossier))
    const { receipt } = parseDossier(body)
    const { entry } = await judgeReply(
      {
        ...{ crypto, trust: parseTrustFile(crypto, utf8(trust)), models, memory: createMemory() },
        ...{ deployments: 'all', now: () => atMs },
      },
      { index: receipt.index, leafHash: toHex(hashLeaf(crypto, receipt.leafBytes)) },
      { status: 200, body, code: undefined, retryAfterMs: undefined },
    )
    await models.close()
    assert.deepEqual([entry.outcome, entry.code], ['not-comparable', 'execution/unsupported'])
  })
}
