/** Quotes of real machines, where `COUNTERSIGN_TEST_DATA` names their folder; and another verifier's word on them. */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { parseBase64Url } from '../../bytes/base64.ts'
import { parseUtf8, toHex } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { createNodeCrypto } from '../../crypto/node-provider.ts'
import { NO_REAL_DATA, realData } from '../attestation-data.testing.ts'
import type { CollateralItem } from '../collateral.ts'
import type { EvidenceItem } from '../evidence-file.ts'
import { readPlacePolicy } from '../place-policy.ts'
import { parsePemCertificates } from '../x509/certificate.ts'
import { appraiseTdx } from './appraise-tdx.ts'
import { importDcapCollateral } from './collateral-import.ts'
import { type OracleModule, oracleReport } from './oracle.testing.ts'

const oracle = createRequire(import.meta.url)('@phala/dcap-qvl') as OracleModule

const UPTODATE = 'tdx/phala_v4_uptodate.bin'
const BELOW = 'tdx/phala_v5_belowtcb.bin'
const GOOGLE = 'tdx/google_v4_SPR_E4.bin'
const NEWEST = 'tdx/attrs_2026-03-16'

const inPem = (path: string): readonly CollateralItem[] =>
  parsePemCertificates(parseUtf8(realData(path)), 4).map(({ bytes }) => ({ kind: 'certificate', content: bytes }))
const inFile = (kind: CollateralItem['kind'], path: string): CollateralItem => ({ kind, content: realData(path) })

/** Of 25 March 2026, for two platforms. */
const newest = (): readonly CollateralItem[] => [
  ...inPem(`${NEWEST}/tcb_signing_chain.pem`),
  ...inPem(`${NEWEST}/qe_identity_signing_chain.pem`),
  inFile('crl', `${NEWEST}/root_ca_crl.der`),
  inFile('crl', `${NEWEST}/pck_crl_platform.der`),
  inFile('intel-tcb-info', `${NEWEST}/tcb_info_50806f000000.json`),
  inFile('intel-tcb-info', `${NEWEST}/tcb_info_90c06f000000.json`),
  inFile('intel-qe-identity', `${NEWEST}/td_qe_identity.json`),
]

/** The certificate that signed lists in 2023 is not among the data. */
const of2023 = (): readonly CollateralItem[] => [
  ...inPem(`${NEWEST}/tcb_signing_chain.pem`),
  inFile('crl', 'tdx/google_rootcrl_2023.der'),
  inFile('crl', 'tdx/google_pckcrl_2023.der'),
  inFile('intel-tcb-info', 'tdx/google_tcbinfo_50806f_2023-06-18.json'),
  inFile('intel-qe-identity', 'tdx/google_qeidentity_2023.json'),
]

function appraise(
  quote: Uint8Array,
  items: readonly CollateralItem[],
  at: string,
  { eventLog, policy }: { eventLog?: EvidenceItem['eventLog']; policy?: { readonly [name: string]: Json } } = {},
) {
  return appraiseTdx(
    { kind: 'tdx', content: quote, ...(eventLog === undefined ? {} : { eventLog }) },
    {
      ...{ crypto: createNodeCrypto(), atMs: Date.parse(at), collateral: { items }, nonce: undefined },
      ...{ memory: undefined, policy: policy && readPlacePolicy({ tee: 'tdx', ...policy }, 'policy') },
    },
  )
}

function named({ checks }: ReturnType<typeof appraiseTdx>, wanted: 'fail' | 'pass') {
  return checks.filter(({ result }) => result === wanted).map(({ name }) => name)
}

const skip = NO_REAL_DATA

test('a platform of 2025 that is up to date', { skip }, () => {
  const { items } = importDcapCollateral(realData('tdx/phala_b0c06f_2025-06-19.json'))
  const appraised = appraise(realData(UPTODATE), items, '2025-06-25T00:00:00Z')
  assert.deepEqual(named(appraised, 'fail'), [])
  assert.ok(appraised.isGenuine)
  assert.equal(appraised.claims.tdx_tcb_status, 'UpToDate')
  assert.match(appraised.measurements.mrtd ?? '', /^91eb2b44/)
  assert.match(appraised.notes[0] ?? '', /^70 bytes follow/)
  const policy = { measurements: { mrtd: [appraised.measurements.mrtd ?? ''] } }
  assert.ok(appraise(realData(UPTODATE), items, '2025-06-25T00:00:00Z', { policy }).isKnownCode)
  for (const at of ['2025-06-18T00:00:00Z', '2025-07-20T00:00:00Z']) {
    assert.ok(named(appraise(realData(UPTODATE), items, at), 'fail').includes('tdx/tcb-info'))
  }
})

test('a platform of 2026 that is below every published level', { skip }, () => {
  const { items } = importDcapCollateral(realData('tdx/phala_90c06f_2026-02-18.json'))
  assert.deepEqual(named(appraise(realData(BELOW), items, '2026-03-01T00:00:00Z'), 'fail'), ['tdx/tcb-level'])
  assert.deepEqual(named(appraise(realData(BELOW), newest(), '2026-03-25T00:00:00Z'), 'fail'), ['tdx/tcb-level'])
})

test('a platform of Google: its signatures hold, it is below every level, and SEPT_VE_DISABLE is off', { skip }, () => {
  const policy = { measurements: { mrtd: ['00'] } }
  const appraised = appraise(realData(GOOGLE), newest(), '2026-03-25T00:00:00Z', { policy })
  assert.deepEqual(named(appraised, 'fail'), ['tdx/tcb-level', 'tdx/sept-ve', 'tdx/measurements'])
  const then = appraise(realData(GOOGLE), of2023(), '2023-06-20T00:00:00Z')
  assert.deepEqual(named(then, 'fail'), ['tdx/tcb-signing-chain'])
  for (const check of ['pck-chain', 'root-crl', 'pck-crl', 'qe-report-signature', 'quote-signature']) {
    assert.ok(named(then, 'pass').includes(`tdx/${check}`), check)
  }
})

test('a guest of dstack: all registers replay, and MRCONFIGID names the compose hash', { skip }, () => {
  const quote = realData('dstack/tdx_quote.bin')
  const content = realData('dstack/tdx_eventlog.json')
  const appraised = appraise(quote, newest(), '2026-03-25T00:00:00Z', { eventLog: { format: 'dstack', content } })
  assert.deepEqual(named(appraised, 'fail'), [])
  assert.ok(!appraised.isGenuine, 'there is no TCB information for this platform')
  assert.ok(named(appraised, 'pass').includes('tdx/event-log'))
  assert.deepEqual(appraised.notes, [])
  const { 'compose-hash': composeHash = '', mrconfigid = '' } = appraised.measurements
  assert.match(composeHash, /^c143116f/)
  assert.equal(mrconfigid, `01${composeHash}${'00'.repeat(15)}`)
  assert.match(appraised.measurements['app-id'] ?? '', /^5bb4ff9a/)
  const other = parseUtf8(content).replace('c143116fef39', 'c143116fef38')
  const changed = { format: 'dstack', content: new TextEncoder().encode(other) } as const
  const refused = appraise(quote, newest(), '2026-03-25T00:00:00Z', { eventLog: changed })
  assert.deepEqual(named(refused, 'fail'), ['tdx/event-log'])
})

test('a quote of Azure: its signatures hold, and without its TCB information it stays unproven', { skip }, () => {
  const { evidence } = JSON.parse(parseUtf8(realData('azure-vtpm/az_tdx_challenge.json')))
  const appraised = appraise(parseBase64Url(evidence.td_quote.replace(/=+$/, '')), newest(), '2026-03-25T00:00:00Z')
  assert.deepEqual(named(appraised, 'fail'), [])
  assert.ok(named(appraised, 'pass').includes('tdx/quote-signature'))
  assert.ok(!appraised.isGenuine)
  assert.equal(appraised.claims.tdx_fmspc, '00806f050000')
})

test('another verifier agrees on what is up to date', { skip }, () => {
  const quote = realData(UPTODATE)
  const collateral = JSON.parse(parseUtf8(realData('tdx/phala_b0c06f_2025-06-19.json')))
  const theirs = oracleReport(oracle.verify(Buffer.from(quote), collateral, Date.parse('2025-06-25T00:00:00Z') / 1000))
  const { items } = importDcapCollateral(realData('tdx/phala_b0c06f_2025-06-19.json'))
  const ours = appraise(quote, items, '2025-06-25T00:00:00Z')
  assert.equal(theirs.status, ours.claims.tdx_tcb_status)
  assert.deepEqual(theirs.advisoryIds, ours.claims.tdx_advisory_ids)
  assert.equal(theirs.mrTd, ours.measurements.mrtd)
  assert.equal(theirs.reportData, toHex(ours.boundData ?? new Uint8Array(0)))
  const old = JSON.parse(parseUtf8(realData('tdx/phala_90c06f_2026-02-18.json')))
  assert.throws(() => oracle.verify(Buffer.from(realData(BELOW)), old, Date.parse('2026-03-01T00:00:00Z') / 1000))
})
