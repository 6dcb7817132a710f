import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCollateral } from '../attestation/collateral.ts'
import { hardwareId, snpEvidence } from '../attestation/sev-snp/sev-snp-evidence.testing.ts'
import { TEST_NOT_AFTER_MS } from '../attestation/x509/pki.testing.ts'
import { toHex, utf8 } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { createMemory } from '../bytes/memory.ts'
import { createNodeCrypto } from '../crypto/node-provider.ts'
import { parseDossier } from '../dossier/dossier.ts'
import { jsonBytes, logSigner, NOW_MS, statementSigner, TestLog } from '../fixture.testing.ts'
import { parseBundle } from '../log/bundle.ts'
import { formatNoteKey } from '../log/note.ts'
import { partyText } from '../scene.testing.ts'
import { revocationStatement } from '../statement/revocation.ts'
import { parseTrustFile } from '../trust/trust-file.ts'
import { buildPlaceScene, collateralOf, placeDossier } from './place-scene.testing.ts'
import { isChanged, reappraise } from './reappraisal.ts'
import { openRevocation } from './revocation.ts'

const crypto = createNodeCrypto()
const played = buildPlaceScene()
const { scene, roots } = played
const auditor = statementSigner('auditor')
const trustText = `${scene.trustText}${partyText('Example Auditor', 'auditor', auditor)}`
const trust = parseTrustFile(crypto, utf8(trustText))
const dossier = parseDossier(jsonBytes(placeDossier(played)))
const input = { crypto, trust, roots, atMs: NOW_MS, memory: createMemory() }
const { items } = snpEvidence().input.collateral
const today = (kept: readonly (typeof items)[number][]) => parseCollateral(jsonBytes(collateralOf(kept)))

const statement = revocationStatement(crypto, {
  what: { kind: 'device', ids: [toHex(hardwareId('milan'))] },
  since: null,
  reason: 'taken out of its machine',
  source: 'a notice',
})

/** The receipt of the revocation, in a log, signed by somebody. */
function receiptOf(log: TestLog, signer: typeof auditor): Json {
  const { index } = log.append(statement, signer)
  return log.bundle(index, log.size)
}

test('nothing changes where nothing is new', () => {
  const collateral = today(items)
  const [only, ...more] = reappraise([dossier], { ...input, collateral }, { ...input, collateral })
  assert.ok(only)
  assert.deepEqual(more, [])
  assert.equal(isChanged(only), false)
  assert.equal(only.receipt, scene.receiptId)
  assert.equal(only.after?.grade, 'hardware-attested')
})

test('newer collateral changes checks of the evidence, and takes nothing from the claim', () => {
  const [only] = reappraise([dossier], input, { ...input, atMs: TEST_NOT_AFTER_MS + 60_000, collateral: today(items) })
  assert.ok(only && isChanged(only))
  assert.equal(only.after?.status, 'holds')
  const chain = only.changes.find(({ name }) => name === 'sev-snp/chain')
  assert.deepEqual([chain?.before, chain?.after], ['pass', 'fail'])
  assert.match(chain?.detail ?? '', /valid|current|after/)
  assert.ok(only.changes.every(({ name }) => name.startsWith('sev-snp/') || /^(place|binding)\//.test(name)))
})

test('a revocation takes the claim from answers that rest on what it names', () => {
  const revocation = openRevocation(crypto, trust, parseBundle(receiptOf(scene.log, auditor), 'bundle'))
  assert.equal(revocation.by.name, 'Example Auditor')
  const [only] = reappraise([dossier], { ...input, revocations: [] }, { ...input, revocations: [revocation] })
  assert.ok(only && isChanged(only))
  assert.deepEqual([only.before?.status, only.after?.status], ['holds', 'unproven'])
  assert.match(only.after?.reason ?? '', /Example Auditor revoked the device: taken out of its machine/)
  assert.deepEqual(
    only.changes.map(({ name, before, after }) => [name, before, after]),
    [['place/revocation', 'pass', 'missing']],
  )
})

test('where the record does not hold, no place is decided', () => {
  const { trust: _, ...without } = input
  assert.deepEqual(reappraise([dossier], without, without), [
    { receipt: scene.receiptId, before: null, after: null, changes: [] },
  ])
})

test('a revocation counts by the roles that the trust file names, from its logs alone', () => {
  const open = (text: string, bundle: Json) =>
    openRevocation(crypto, parseTrustFile(crypto, utf8(text)), parseBundle(bundle, 'bundle'))
  const bundle = receiptOf(scene.log, auditor)
  assert.equal(open(trustText, bundle).role, 'auditor')
  assert.throws(() => open(`${trustText}revokers: [publisher]\n`, bundle), { code: 'signature/unknown-key' })
  assert.throws(() => open(scene.trustText, bundle), { code: 'signature/unknown-key' })
  assert.equal(open(trustText, receiptOf(scene.log, scene.operator)).role, 'operator')
  assert.equal(open(trustText, receiptOf(scene.log, scene.publisher)).role, 'publisher')
  assert.throws(() => open(trustText, receiptOf(scene.log, scene.accountable)), { code: 'signature/unknown-key' })
  const known = formatNoteKey(scene.log.signer.key)
  const elsewhere = trustText.replace(known, formatNoteKey(new TestLog(logSigner('example.org/other')).signer.key))
  assert.throws(() => open(elsewhere, bundle), { code: 'policy/unknown-log' })
  const answer = scene.log.bundle(scene.index, scene.log.size)
  assert.throws(() => open(trustText, answer), { code: 'statement/wrong-type' })
})
