/** What real machines at Azure gave, where `COUNTERSIGN_TEST_DATA` names their folder. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseUtf8, utf8 } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { createNodeCrypto } from '../../crypto/node-provider.ts'
import type { Appraised } from '../appraised.ts'
import { NO_REAL_DATA, realData } from '../attestation-data.testing.ts'
import { readPlacePolicy } from '../place-policy.ts'
import { parsePemCertificates } from '../x509/certificate.ts'
import { appraiseAzureVtpm } from './appraise-azure-vtpm.ts'
import { importAzureEvidence } from './azure-evidence.ts'

const AT_MS = Date.UTC(2026, 10, 28)
const SNP = 'azure-vtpm/az_snp_live.json'
const TDX = 'azure-vtpm/az_tdx_challenge.json'
/** Of the key with which Azure signs its paravisors. */
const ID_KEY_DIGEST = '942fd93ebde6ea7a96efadeafc60f1c6b3d10e703b1dafd7555b92f7f3d32d0e006767648cba5b102af3d65756af4177'
const PCR0 = 'e15c44796beabf46abcec7c57e590942041e47497e4ec27571c8b7664f48dced'

function appraise(
  path: string,
  nonce: string | undefined,
  policy?: { readonly [name: string]: Json },
  change: (content: Uint8Array) => Uint8Array = (content) => content,
): Appraised {
  const { content, collateral } = importAzureEvidence(realData(path))
  const issuers = parsePemCertificates(parseUtf8(realData('roots/ask_ark_milan.pem')), 2)
  const items = [...collateral.items, ...issuers.map(({ bytes }) => ({ kind: 'certificate' as const, content: bytes }))]
  return appraiseAzureVtpm(
    { kind: 'azure-vtpm', content: change(content) },
    {
      ...{ crypto: createNodeCrypto(), atMs: AT_MS, collateral: { items }, memory: undefined },
      nonce: nonce === undefined ? undefined : utf8(nonce),
      policy: policy && readPlacePolicy({ tee: 'azure-vtpm', preset: 'azure', ...policy }, 'policy'),
    },
  )
}

function failures({ checks }: Appraised): readonly string[] {
  return checks.filter(({ result }) => result === 'fail').map(({ name }) => name)
}

function resultOf({ checks }: Appraised, what: string): string | undefined {
  return checks.find(({ name }) => name === `azure-vtpm/${what}`)?.result
}

test('SEV-SNP at Azure: holds, and answers its challenge', { skip: NO_REAL_DATA }, () => {
  const appraised = appraise(SNP, 'attestation-test-fixture', {
    measurements: { pcr0: [PCR0] },
    signers: { idkeydigest: [ID_KEY_DIGEST] },
  })
  assert.deepEqual(failures(appraised), [])
  assert.ok(appraised.isGenuine && appraised.isKnownCode && appraised.answersNonce)
  assert.equal(Buffer.from(appraised.boundData ?? []).toString(), 'attestation-test-fixture')
  assert.equal(appraised.claims.hwmodel, 'Milan-B0')
  assert.equal(appraised.deviceIds[0]?.slice(0, 16), '065afa73e5ccf3ad')
})

test('SEV-SNP at Azure: genuine without a policy, and of no known code', { skip: NO_REAL_DATA }, () => {
  const appraised = appraise(SNP, undefined)
  assert.deepEqual(failures(appraised), [])
  assert.ok(appraised.isGenuine && !appraised.isKnownCode && !appraised.answersNonce)
})

test('SEV-SNP at Azure: another challenge, and another value of a register, are refused', {
  skip: NO_REAL_DATA,
}, () => {
  assert.deepEqual(failures(appraise(SNP, 'another')), ['azure-vtpm/nonce'])
  const swap = (content: Uint8Array) => utf8(parseUtf8(content).replace(PCR0, '00'.repeat(32)))
  assert.deepEqual(failures(appraise(SNP, undefined, undefined, swap)), ['azure-vtpm/pcr-digest'])
})

test('TDX at Azure: TPM and binding hold, the quote stays unproven for want of collateral', {
  skip: NO_REAL_DATA,
}, () => {
  const appraised = appraise(TDX, 'challenge')
  assert.deepEqual(failures(appraised), [])
  for (const what of ['td-report', 'hcl-binding', 'tpm-signature', 'pcr-digest', 'nonce', 'tdx/quote-signature']) {
    assert.equal(resultOf(appraised, what), 'pass', what)
  }
  assert.equal(resultOf(appraised, 'tdx/tcb-info'), 'not-checked')
  assert.ok(!appraised.isGenuine && !appraised.answersNonce && appraised.boundData === undefined)
  assert.deepEqual(appraised.measurements, {})
})

test('no changed byte of real evidence is accepted', { skip: NO_REAL_DATA }, () => {
  const { length } = importAzureEvidence(realData(SNP)).content
  for (let at = 0; at < length; at += 97) {
    const flipped = (content: Uint8Array) => content.map((byte, i) => (i === at ? byte ^ (1 << (at % 7)) : byte))
    assert.equal(appraise(SNP, undefined, undefined, flipped).isGenuine, false, `byte ${at}`)
  }
})
