import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Appraisal,
  appraisalStatement,
  type BoundKey,
  createMemory,
  type EvidenceItem,
  formatStatement,
  parseAppraisal,
  parseStatement,
  readPlacePolicy,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { SNP_AT, snpEvidence } from '@countersign/verify/testing'
import { type AskedPlace, appraisalOf, runRound } from './appraisal-round.ts'
import { rigPolicy } from './place-scene.testing.ts'

const crypto = createNodeCrypto()
const DIGESTS = { evidence: 'ab'.repeat(32), collateral: 'cd'.repeat(32) }
const written = rigPolicy('tinfoil')

function askedFor(items: number, der: Uint8Array): AskedPlace {
  const item = { kind: 'sev-snp', content: new Uint8Array(1184) } as const
  return {
    place: { name: 'shown', origin: 'https://api.example.org' },
    policy: readPlacePolicy(written, 'policy'),
    nonceBytes: 0,
    gather: async (nonce) => ({
      evidence: { profile: 'tinfoil', items: Array.from({ length: items }, () => item), nonce, beside: {} },
      shown: { der, sha256: 'ab'.repeat(32), keySha256: 'cd'.repeat(32) },
    }),
  }
}

async function roundOf(asked: AskedPlace, needed: unknown[] = []) {
  const fetch = async (needs: readonly unknown[]) => {
    needed.push(...needs)
    return { bundle: { items: [] }, missing: [] }
  }
  const collateral = { fetch }
  const tools = { crypto, collateral, memory: createMemory(), nowMs: Date.now, roots: undefined }
  return await runRound(asked, tools, new AbortController().signal)
}

function logged(asked: AskedPlace, round: Awaited<ReturnType<typeof runRound>>) {
  const payload = formatStatement(appraisalStatement(crypto, appraisalOf(asked, written, round, DIGESTS)))
  return parseAppraisal(parseStatement(payload))
}

test('whatever a place shows, what is logged of it can be read', async () => {
  const asked = askedFor(32, new Uint8Array(12_289))
  const round = await roundOf(asked)
  const read = logged(asked, round)
  assert.equal(read.outcome, 'refused')
  assert.equal(read.tlsCertificate, undefined)
  assert.equal(new Set(read.failed).size, read.failed.length)

  const keys = Array.from({ length: 65 }, (_, i): BoundKey => ({ use: 'tls-key', sha256: String(i).padStart(64, '0') }))
  const many = {
    ...round,
    appraisal: { ...round.appraisal, keys } as Appraisal,
    failed: Array(700).fill('sev-snp/chain'),
  }
  assert.equal(logged(asked, many).keys.length, 16)
  const short = askedFor(1, new Uint8Array(12_288))
  assert.equal(logged(short, await roundOf(short)).tlsCertificate?.length, 16_384)
})

test('a place cannot send the gateway to the makers of hardware for the chips of the whole world', async () => {
  const chip = (i: number): EvidenceItem => ({
    kind: 'sev-snp',
    content: snpEvidence({ edit: (report) => report.fill(i + 1, SNP_AT.chipId, SNP_AT.chipId + 64) }).item.content,
  })
  const asked = askedFor(0, new Uint8Array(9))
  const evidence = { profile: 'tinfoil', items: Array.from({ length: 32 }, (_, i) => chip(i)), beside: {} } as const
  const needed: unknown[] = []
  await roundOf({ ...asked, gather: async (nonce) => ({ evidence: { ...evidence, nonce }, shown: undefined }) }, needed)
  assert.ok(needed.length >= 1 && needed.length <= 4, String(needed.length))
})
