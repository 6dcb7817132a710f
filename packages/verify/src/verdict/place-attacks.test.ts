/** What an operator that wants a place to hold tries, with a dossier that it fills as it likes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AT_SECONDS, rsaSigner } from '../attestation/answer-signature/answer-signature.testing.ts'
import { formatProviderSignature } from '../attestation/answer-signature/provider-signature.ts'
import { utf8 } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { createNodeCrypto } from '../crypto/node-provider.ts'
import { parseDossier } from '../dossier/dossier.ts'
import { jsonBytes, NOW_MS } from '../fixture.testing.ts'
import { sceneOpening } from '../scene.testing.ts'
import { revocationStatement } from '../statement/revocation.ts'
import { parseTrustFile } from '../trust/trust-file.ts'
import { Checklist, type ClaimRow } from './checklist.ts'
import type { PlaceBasis } from './place-basis.ts'
import { checkFreshness, checkRevocations } from './place-checks.ts'
import {
  buildPlaceScene,
  PLACE_POLICY,
  type PlaceOptions,
  type PlaceScene,
  placeDossier,
} from './place-scene.testing.ts'
import { decideVerdict, findRow } from './verdict.ts'

const crypto = createNodeCrypto()

function rowOf(played: PlaceScene, trusted = '', dossier = placeDossier(played)): ClaimRow {
  const trust = parseTrustFile(crypto, utf8(`${played.scene.trustText}${trusted}`))
  const input = { crypto, trust, roots: played.roots, atMs: NOW_MS }
  return findRow(decideVerdict(parseDossier(jsonBytes(dossier)), input), 'place')
}

const resultOf = (row: ClaimRow, name: string) => row.checks.find((each) => each.name === `place/${name}`)?.result

const REQUEST = '{"messages":[{"role":"user","content":"Servus"}],"model":"m"}'
const OTHER_REQUEST = '{"messages":[{"role":"user","content":"Hallo"}],"model":"m"}'
const SIGNED_REQUEST = '{"messages": [{"content": "Servus", "role": "user"}], "model": "m", "temperature": 0.0}'
const answer = (text: string) => utf8(`{"choices":[{"message":{"content":"${text}"},"finish_reason":"stop"}]}`)
const signer = rsaSigner()

interface Said {
  readonly received?: string
  readonly delivered?: string
  readonly signedAtSeconds?: number
}

/** The place of an answer that a bound key signed, with what the client sent and got, and no certificate of a connection. */
function signedRow({ received, delivered, signedAtSeconds }: Said): ClaimRow {
  const file = formatProviderSignature(signer.sign(SIGNED_REQUEST, 'Griaß di', signedAtSeconds))
  const requests =
    received === undefined
      ? [sceneOpening('request', ['request-received', 'request-sent'], utf8(REQUEST))]
      : [
          sceneOpening('request', ['request-received'], utf8(received)),
          sceneOpening('sent', ['request-sent'], utf8(REQUEST)),
        ]
  const responses =
    delivered === undefined
      ? [sceneOpening('response', ['response-received', 'response-delivered'], answer('Griaß di'))]
      : [
          sceneOpening('response', ['response-received'], answer('Griaß di')),
          sceneOpening('delivered', ['response-delivered'], answer(delivered)),
        ]
  const options: PlaceOptions = { nitro: {}, isUpstream: true, signing: crypto.sha256(signer.spki) }
  const attempt = { tlsCertificate: undefined as never }
  const openings = [...requests, ...responses, sceneOpening('signature', ['provider-signature'], file)]
  return rowOf(buildPlaceScene({ ...options, attempt, openings }))
}

test('a signed answer shows nothing of another answer that was delivered in its stead', () => {
  const row = signedRow({ delivered: 'Abgelehnt' })
  assert.equal(resultOf(row, 'answer-signature'), 'not-checked')
  assert.equal(resultOf(row, 'serving-key'), 'missing')
  // The same bytes under two salts are the same answer.
  assert.equal(resultOf(signedRow({ delivered: 'Griaß di' }), 'serving-key'), 'pass')
})

test('an answer that was signed at another time is an old one', () => {
  for (const signedAtSeconds of [AT_SECONDS - 86_400, AT_SECONDS - 301, AT_SECONDS + 302]) {
    const row = signedRow({ signedAtSeconds })
    assert.equal(resultOf(row, 'answer-signature'), 'not-checked', String(signedAtSeconds))
    assert.equal(resultOf(row, 'serving-key'), 'missing')
  }
  assert.equal(resultOf(signedRow({ signedAtSeconds: AT_SECONDS - 299 }), 'serving-key'), 'pass')
})

test('that another request was signed than the one that was received is said', () => {
  const open = /that the request which was signed is the one that was received/
  assert.match(signedRow({ received: OTHER_REQUEST }).doesNotProve.join('\n'), open)
  assert.doesNotMatch(signedRow({}).doesNotProve.join('\n'), open)
  assert.doesNotMatch(signedRow({ received: REQUEST }).doesNotProve.join('\n'), open)
})

test('an upstream that is called like the gateway is not the gateway', () => {
  const place = { name: 'gateway', origin: 'https://api.example.org' }
  const played = buildPlaceScene({ upstreamCalled: 'gateway', logged: { place } })
  const row = rowOf(played)
  assert.equal(row.status, 'unproven', row.reason)
  const demand = { name: 'ours', match: { upstream: 'gateway' }, policy: PLACE_POLICY }
  const demanded = rowOf(played, `places: ${JSON.stringify([demand])}\n`)
  assert.equal(demanded.status, 'unproven', demanded.reason)
})

test('a revocation of something else, which the dossier carries, does not show that anybody looked', () => {
  const played = buildPlaceScene()
  const { log, operator } = played.scene
  const what = { kind: 'device', ids: ['00'] } as const
  const decoy = revocationStatement(crypto, { what, since: null, reason: 'none', source: 'none' })
  const { index } = log.append(decoy, operator)
  const dossier = placeDossier(played) as { readonly statements: readonly Json[] }
  const row = rowOf(played, '', { ...dossier, statements: [...dossier.statements, log.bundle(index, log.size)] })
  assert.equal(row.status, 'holds', row.reason)
  assert.equal(resultOf(row, 'revocation'), 'not-checked')
})

test('a challenge counts as the operator’s only where its appraisal says that it was', () => {
  const row = rowOf(buildPlaceScene({ logged: { freshness: 'none' } }))
  assert.equal(resultOf(row, 'freshness'), 'missing')
  assert.equal(row.status, 'unproven')
})

test('a time that a GPU states does not show that the challenge of its processor was new', () => {
  const notesOf = (items: readonly { readonly kind: string; readonly madeAtMs?: number }[]) => {
    const inference = { startedAtMs: NOW_MS, endedAtMs: NOW_MS }
    const basis = {
      repeated: { freshness: 'nonce', items },
      logged: { gatheredAtMs: NOW_MS, validUntilMs: NOW_MS },
      chosen: { policy: { allow: [], maxAgeMs: 60_000 } },
      place: { attempt: { startedAtMs: NOW_MS } },
      time: { notBeforeMs: null },
      answer: { inference },
    }
    return checkFreshness(new Checklist('place'), basis as unknown as PlaceBasis).join()
  }
  const gpu = { kind: 'nvidia-nras', madeAtMs: NOW_MS }
  const open = /that the challenge was new/
  assert.match(notesOf([{ kind: 'sev-snp' }]), open)
  assert.match(notesOf([{ kind: 'sev-snp' }, gpu]), open)
  assert.doesNotMatch(notesOf([{ kind: 'nitro', madeAtMs: NOW_MS }, { kind: 'nvidia-spdm' }]), open)
  // A service may give a new token for a report that somebody kept.
  assert.match(notesOf([{ kind: 'maa', madeAtMs: NOW_MS }]), /that the report behind the token was new/)
})

test('evidence is as old as the answer, whenever the attempt says that it began', () => {
  const DAY_MS = 86_400_000
  const then = NOW_MS - 30 * DAY_MS
  const logged = { gatheredAtMs: then - 60_000, appraisedAtMs: then - 50_000, validUntilMs: then + 3_600_000 }
  const old = rowOf(buildPlaceScene({ logged, attempt: { startedAtMs: then, endedAtMs: NOW_MS } }))
  assert.equal(resultOf(old, 'freshness'), 'missing', old.reason)
  const long = { attempt: { startedAtMs: then, endedAtMs: NOW_MS }, predicate: { startedAtMs: then } }
  assert.equal(resultOf(rowOf(buildPlaceScene({ logged, ...long })), 'freshness'), 'missing')

  const later = { gatheredAtMs: NOW_MS + DAY_MS, appraisedAtMs: NOW_MS + DAY_MS, validUntilMs: NOW_MS + 2 * DAY_MS }
  const ahead = { startedAtMs: NOW_MS + DAY_MS, endedAtMs: NOW_MS + DAY_MS }
  assert.equal(resultOf(rowOf(buildPlaceScene({ logged: later, attempt: ahead })), 'freshness'), 'missing')
})

test('an answer that ended when its key set had run out is not covered, whatever the appraisal says', () => {
  const resultUntil = (keysUntilMs: number | undefined) => {
    const basis = {
      repeated: { freshness: 'nonce', items: [{ kind: 'tdx' }], keysUntilMs },
      logged: { gatheredAtMs: NOW_MS, validUntilMs: NOW_MS + 60_000 },
      chosen: { policy: { allow: [], maxAgeMs: 60_000 } },
      place: { attempt: { startedAtMs: NOW_MS } },
      time: { notBeforeMs: null },
      answer: { inference: { startedAtMs: NOW_MS, endedAtMs: NOW_MS + 1000 } },
    }
    const list = new Checklist('place')
    checkFreshness(list, basis as unknown as PlaceBasis)
    return list.checks[0]?.result
  }
  assert.equal(resultUntil(undefined), 'pass')
  assert.equal(resultUntil(NOW_MS + 1001), 'pass')
  assert.equal(resultUntil(NOW_MS + 1000), 'missing')
  assert.equal(resultUntil(Number.MAX_SAFE_INTEGER * 1000), 'pass')
})

test('registers of which a policy names no value are said: it may name the firmware alone', () => {
  const open = (policy: Json) =>
    rowOf(buildPlaceScene({ nitro: {}, ...(policy === null ? {} : { policy }) })).doesNotProve.join('\n')
  const base = { tee: 'nitro', profile: 'countersign' }
  const [pcr0, pcr1, pcr2] = ['10', '11', '12'].map((byte) => [byte.repeat(48)])
  assert.match(open({ ...base, measurements: { pcr0: pcr0 ?? [] } }), /measured as pcr1, pcr2.* is what it should be/)
  assert.doesNotMatch(
    open({ ...base, measurements: { pcr0: pcr0 ?? [], pcr1: pcr1 ?? [], pcr2: pcr2 ?? [] } }),
    /measured as .*pcr[012]\b/,
  )
})

test('a revocation is about answers that came after it, however old the evidence that they name', () => {
  const resultAt = (notAfterMs: number | null) => {
    const what = { kind: 'key', key: { use: 'ed25519', publicKey: '00' } } as const
    const by = { name: 'Example Auditor' }
    const basis = {
      input: { revocations: [{ what, since: NOW_MS, reason: 'leaked', source: '', by, role: 'auditor' }] },
      answer: { operator: { name: 'Example Operator' }, linked: { ofType: () => [] } },
      repeated: { keys: [what.key], items: [] },
      place: { name: 'provider', attempt: {} },
      loggedBy: { timeSeconds: NOW_MS / 1000 - 60, witnesses: ['a'] },
      time: { notAfterMs },
    }
    const list = new Checklist('place')
    const notes = checkRevocations(list, basis as unknown as PlaceBasis)
    const { checks } = list.row({ grade: 'hardware-attested', reason: '' }, { basis: [], trusts: [], doesNotProve: [] })
    return [checks[0]?.result, notes.length]
  }
  assert.deepEqual(resultAt(NOW_MS - 1), ['pass', 1])
  assert.deepEqual(resultAt(NOW_MS + 60_000), ['missing', 0])
  assert.deepEqual(resultAt(null), ['missing', 0])
})
