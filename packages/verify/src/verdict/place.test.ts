import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rsaSigner } from '../attestation/answer-signature/answer-signature.testing.ts'
import { formatProviderSignature } from '../attestation/answer-signature/provider-signature.ts'
import { utf8 } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { createMemory } from '../bytes/memory.ts'
import { createNodeCrypto } from '../crypto/node-provider.ts'
import { parseDossier } from '../dossier/dossier.ts'
import { jsonBytes, NOW_MS } from '../fixture.testing.ts'
import { checkProperty, expectTyped } from '../fuzzing.testing.ts'
import { changedJson } from '../mutation.testing.ts'
import { sceneOpening } from '../scene.testing.ts'
import { COMMITTED_SUBJECTS, type CommittedSubject } from '../statement/inference.ts'
import { parseTrustFile } from '../trust/trust-file.ts'
import type { ClaimRow } from './checklist.ts'
import { placeCases } from './place-cases.testing.ts'
import { buildPlaceScene, type PlaceOptions, placeDossier } from './place-scene.testing.ts'
import { decideVerdict, findRow } from './verdict.ts'
import { runVerdictCase } from './verdict-case.testing.ts'

const crypto = createNodeCrypto()
const cases = placeCases()

function rowOf(name: string): ClaimRow {
  const found = cases.find((each) => each.name === `place-${name}`)
  assert.ok(found, name)
  return findRow(runVerdictCase(found, crypto).verdict, 'place')
}

const openIn = (name: string) => rowOf(name).doesNotProve.join('\n')

test('a place that holds says on what it rests, whom one must trust, and what was shown', () => {
  const row = rowOf('attested')
  assert.match(row.reason, /sev-snp evidence of 2026-.*genuine hardware ran code that the manifest of the operator/)
  assert.match(row.reason, /bound the key that signed this answer/)
  assert.equal(row.basis.length, 3)
  assert.deepEqual(row.trusts, [
    'AMD, maker of the processor',
    'operator Example Operator, whose policy says which code is the right one',
  ])
  assert.deepEqual(
    row.facts?.map(({ name, status }) => `${name} ${status}`),
    [
      'genuine-hardware shown',
      'known-code shown',
      'serving-key-bound shown',
      'gpu-same-session not-shown',
      'weights-measured not-shown',
      'physical-trust not-shown',
    ],
  )
})

test('whose policy it was decides whom one must trust', () => {
  const row = rowOf('demanded-and-met')
  assert.match(row.reason, /the trust file \(ours\) names/)
  assert.deepEqual(row.trusts, ['AMD, maker of the processor'])
  assert.ok(rowOf('witnessed').trusts.includes('witness a'))
  assert.match(rowOf('of-an-upstream').trusts.join(), /operator Example Operator, who recorded the certificate/)
})

test('what evidence cannot show is always said', () => {
  for (const each of cases.filter(({ expect }) => expect.claims.place.status === 'holds')) {
    const row = findRow(runVerdictCase(each, crypto).verdict, 'place')
    const open = row.doesNotProve.join('\n')
    assert.match(open, /in which country the machine stands/, each.name)
    assert.match(open, /that the bound key is nowhere else/, each.name)
    assert.ok(row.facts !== undefined && row.trusts.length > 0, each.name)
  }
  assert.match(openIn('attested'), /who can touch it is not known/)
  assert.doesNotMatch(openIn('listed-chip'), /who can touch it is not known/)
  assert.match(openIn('attested'), /that the evidence was appraised when the operator says/)
  assert.doesNotMatch(openIn('witnessed'), /appraised when the operator says/)
  assert.match(openIn('attested'), /the challenge was new: the operator chose it/)
  assert.match(openIn('without-challenge-allowed'), /that the evidence is not an old one/)
  assert.match(openIn('of-an-upstream'), /the answer came over the connection whose certificate/)
  assert.match(openIn('attested'), /which model answered, or where: a gateway passes requests on/)
  assert.match(openIn('revoked-afterwards'), /Example Auditor revoked the device from 2026-/)
  const today = rowOf('changed-since').checks.find(({ name }) => name === 'place/today')
  assert.match(today?.detail ?? '', /it is accepted.*sev-snp\/revocation was pass and is not-checked/)
})

test('reasons say what a reader must know', () => {
  const reasonOf = (name: string) => rowOf(name).reason
  assert.match(reasonOf('not-named'), /^place\/appraisal: the answer names no appraisal/)
  assert.match(reasonOf('evidence-left-out'), /does not carry the file [0-9a-f]{64} that was appraised/)
  assert.match(reasonOf('evidence-unavailable'), /the place gave no evidence/)
  assert.match(reasonOf('without-policy'), /neither the trust file nor the manifest/)
  assert.match(reasonOf('policy-unreadable'), /it names no code/)
  assert.match(reasonOf('accepted-other-code'), /place\/known-code: sev-snp\//)
  assert.match(reasonOf('refused-by-the-operator'), /own appraisal says refused: sev-snp\/measurements/)
  assert.match(reasonOf('unmet-requirement'), /physical-trust/)
  assert.match(reasonOf('stale'), /it was 6 minutes old, the policy allows 5 minutes/)
  assert.match(reasonOf('certificate-not-recorded'), /names no certificate/)
  assert.match(reasonOf('certificate-unreadable'), /cannot be read/)
  assert.match(reasonOf('dated-ahead'), /after witnesses had seen it/)
  assert.match(reasonOf('revoked-before'), /revoked the device from/)
})

test('an answer that the bound key signed is tied to the place without the operator’s word', () => {
  const signer = rsaSigner()
  const request = '{"messages":[{"role":"user","content":"Servus"}],"model":"m"}'
  const python = '{"messages": [{"content": "Servus", "role": "user"}], "model": "m", "temperature": 0.0}'
  const response = utf8('{"choices":[{"message":{"content":"Griaß di"},"finish_reason":"stop"}]}')
  const placeOf = (file: Uint8Array, attempt: PlaceOptions['attempt'], subjects: readonly CommittedSubject[]) => {
    const openings = [
      sceneOpening('request', ['request-received', 'request-sent'], utf8(request)),
      sceneOpening('response', ['response-received', 'response-delivered'], response),
      sceneOpening('signature', ['provider-signature'], file),
    ]
    const signing = crypto.sha256(signer.spki)
    const played = buildPlaceScene({ nitro: {}, isUpstream: true, signing, openings, ...(attempt ? { attempt } : {}) })
    const { scene, roots } = played
    const opened = openings.filter(({ subjects: those }) => those.every((each) => subjects.includes(each)))
    const dossier = parseDossier(jsonBytes(placeDossier({ ...played, scene: { ...scene, openings: opened } })))
    const trust = parseTrustFile(crypto, utf8(scene.trustText))
    return findRow(decideVerdict(dossier, { crypto, trust, roots, atMs: NOW_MS }), 'place')
  }
  const resultOf = (row: ClaimRow, name: string) => row.checks.find((each) => each.name === `place/${name}`)?.result
  const withoutCertificate = { tlsCertificate: undefined as never }
  const good = formatProviderSignature(signer.sign(python, 'Griaß di'))
  const bad = formatProviderSignature(signer.sign(python, 'Servus'))

  const signed = placeOf(good, withoutCertificate, COMMITTED_SUBJECTS)
  assert.equal(resultOf(signed, 'answer-signature'), 'pass')
  assert.equal(resultOf(signed, 'serving-key'), 'pass')
  assert.match(signed.doesNotProve.join(), /not signed: .*usage/)
  assert.doesNotMatch(signed.doesNotProve.join(), /came over the connection/)

  // One that does not check shows nothing, and takes nothing away.
  for (const [attempt, serving] of [
    [withoutCertificate, 'missing'],
    [undefined, 'pass'],
  ] as const) {
    const row = placeOf(bad, attempt, COMMITTED_SUBJECTS)
    assert.equal(resultOf(row, 'answer-signature'), 'not-checked')
    assert.equal(resultOf(row, 'serving-key'), serving)
  }
  const unopened = placeOf(good, withoutCertificate, ['provider-signature'])
  assert.equal(resultOf(unopened, 'answer-signature'), 'not-checked')
  assert.equal(resultOf(unopened, 'serving-key'), 'missing')
})

test('an answer from the cache has no place of its own', () => {
  const predicate = { attempts: [], observations: ['cache-hit' as const], repeats: 'ab'.repeat(16) }
  const played = buildPlaceScene({ predicate })
  const { scene, roots } = played
  const trust = parseTrustFile(crypto, utf8(scene.trustText))
  const dossier = parseDossier(jsonBytes(placeDossier(played)))
  const row = findRow(decideVerdict(dossier, { crypto, trust, roots, atMs: NOW_MS }), 'place')
  assert.match(row.reason, /place\/served-by: the answer repeats that of receipt (ab){16}/)
})

test('a dossier with values changed never shows more of its place', (t) => {
  const played = buildPlaceScene()
  const honest = placeDossier(played)
  const trust = parseTrustFile(crypto, utf8(played.scene.trustText))
  const memory = createMemory()
  const { evidence, ...rest } = honest as { readonly [name: string]: Json }
  let [fell, read] = [0, 0]
  checkProperty(t, [changedJson([evidence ?? null], 2)], 300, (changed) => {
    const dossier = expectTyped(() => parseDossier(jsonBytes({ ...rest, evidence: changed })))
    if (dossier === undefined) return
    read++
    const row = findRow(decideVerdict(dossier, { crypto, trust, roots: played.roots, atMs: NOW_MS, memory }), 'place')
    if (row.status !== 'holds') fell++
    else assert.equal(row.grade, 'hardware-attested')
  })
  t.diagnostic(`${read} could be read, ${fell} no longer held`)
  assert.ok(fell > 3)
})
