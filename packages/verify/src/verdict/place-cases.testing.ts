/** Where an answer came about: each way in which evidence can hold, fall short, or show a word to be false. */
import { hardwareId, MEASUREMENT, snpEvidence } from '../attestation/sev-snp/sev-snp-evidence.testing.ts'
import { toBase64 } from '../bytes/base64.ts'
import { toHex } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { createNobleCrypto } from '../crypto/noble-provider.ts'
import { NOW_MS, statementSigner, witnessSigner } from '../fixture.testing.ts'
import { formatNoteKey } from '../log/note.ts'
import { logLine, partyText, trustText } from '../scene.testing.ts'
import { type Revoked, revocationStatement } from '../statement/revocation.ts'
import {
  buildPlaceScene,
  collateralOf,
  GATHERED_MS,
  OTHER_POLICY,
  OTHER_TLS_CERTIFICATE,
  PLACE_POLICY,
  type PlaceOptions,
  type PlaceScene,
  placeDossier,
  sha256Hex,
  TLS_CERTIFICATE,
} from './place-scene.testing.ts'
import { expectRows, NO_OWNERS, NOT_RUN, PLAIN_FAILING, type VerdictCase, verdictCase } from './verdict-case.testing.ts'

const crypto = createNobleCrypto()

type Rows = Parameters<typeof expectRows>[0]

/** Checks that nobody could make without witnesses and revocations. */
const TIME = 'place/time'
const REVOCATION = 'place/revocation'
const OPEN: readonly string[] = [TIME, REVOCATION]

export function placeCases(): readonly VerdictCase[] {
  return [
    ...ownPlaceCases(),
    ...fileCases(),
    ...wordCases(),
    ...freshnessCases(),
    ...demandCases(),
    ...connectionCases(),
    ...timeCases(),
    ...revocationCases(),
    ...laterCases(),
  ]
}

interface Shown {
  readonly options?: PlaceOptions
  readonly files?: readonly string[]
  /** Lines of the trust file besides the usual ones. */
  readonly trust?: string
  readonly case?: Partial<VerdictCase>
}

/** A case without witnesses, where the claim comes out as `place`. */
function played(
  name: string,
  description: string,
  place: Rows['place'],
  failing: readonly string[],
  shown: Shown = {},
) {
  const { options = {}, files, trust = '', case: more = {} } = shown
  const played = buildPlaceScene(options)
  const by = place === 'refuted' ? failing.find((check) => !OPEN.includes(check)) : undefined
  const isUpstream = options.isUpstream === true
  const rows: Rows = { ...(place === undefined ? {} : { place }), ...(isUpstream ? { model: 'unproven' } : {}) }
  const expect = expectRows(rows, [...(isUpstream ? ['model/digest'] : []), ...failing, ...PLAIN_FAILING], by)
  return verdictCase(`place-${name}`, description, {
    ...{ trust: `${played.scene.trustText}${trust}`, roots: played.roots },
    dossier: placeDossier(played, files === undefined ? {} : { files }),
    ...{ expect, ...more },
  })
}

function ownPlaceCases(): readonly VerdictCase[] {
  return [
    played(
      'attested',
      'The gateway ran the model on attested hardware, and signed with the key that is bound there.',
      'hardware-attested',
      OPEN,
    ),
    played(
      'binds-another-key',
      'The evidence binds another key than the one that signed the answer.',
      'refuted',
      [TIME, 'place/serving-key', REVOCATION],
      { options: { signer: statementSigner('publisher') } },
    ),
    played(
      'binds-no-key',
      'The evidence is genuine, and ties no key.',
      'unproven',
      [TIME, 'place/required-facts', 'place/serving-key', 'place/freshness', REVOCATION],
      {
        options: { snp: { edit: (report) => report.fill(0, 0x50, 0x90) }, logged: { outcome: 'unproven', failed: [] } },
      },
    ),
  ]
}

function fileCases(): readonly VerdictCase[] {
  return [
    played('evidence-left-out', 'The dossier does not carry the evidence.', 'unproven', ['place/evidence'], {
      files: ['collateral'],
    }),
    played('collateral-left-out', 'The dossier does not carry the collateral.', 'unproven', ['place/collateral'], {
      files: ['evidence'],
    }),
    played(
      'evidence-unavailable',
      'The operator logged that the place gave no evidence.',
      'unproven',
      ['place/appraisal'],
      {
        options: { isUnavailable: true },
        files: [],
      },
    ),
    played(
      'appraisal-by-another',
      'Somebody who is no operator signed the appraisal.',
      'unproven',
      ['place/appraisal'],
      {
        options: { loggedBy: statementSigner('publisher') },
      },
    ),
    played(
      'appraisal-of-another-place',
      'The appraisal is of another place than the one that answered.',
      'refuted',
      ['place/appraisal'],
      {
        options: { logged: { place: { name: 'provider', origin: 'https://api.example.org' } } },
      },
    ),
    played(
      'not-named',
      'The manifest demands evidence, and the answer names no appraisal.',
      'unproven',
      ['place/appraisal'],
      {
        options: { isNamed: false },
      },
    ),
    played('without-policy', 'Nobody says what the place must be.', 'unproven', ['place/policy'], {
      options: { policy: null },
    }),
    played('policy-unreadable', 'The manifest’s policy names no code.', 'unproven', ['place/policy'], {
      options: { policy: { tee: 'sev-snp', profile: 'countersign' } },
    }),
  ]
}

function wordCases(): readonly VerdictCase[] {
  const refused = { outcome: 'refused', failed: ['sev-snp/measurements'] } as const
  return [
    played(
      'accepted-other-code',
      'The operator logged that it accepted code which its own policy does not name.',
      'refuted',
      [TIME, 'place/known-code', 'place/required-facts', REVOCATION],
      {
        options: { policy: OTHER_POLICY },
      },
    ),
    played(
      'refused-other-code',
      'The same code, and the operator said so.',
      'unproven',
      [TIME, 'place/known-code', 'place/required-facts', REVOCATION],
      {
        options: { policy: OTHER_POLICY, logged: refused },
      },
    ),
    played(
      'accepted-by-another-policy',
      'It was accepted by a policy that is no longer the manifest’s.',
      'unproven',
      [TIME, 'place/known-code', 'place/required-facts', REVOCATION],
      {
        options: { policy: OTHER_POLICY, logged: { policy: PLACE_POLICY } },
      },
    ),
    played(
      'accepted-forgery',
      'The operator logged that it accepted evidence which no hardware signed.',
      'refuted',
      [
        TIME,
        'place/genuine-hardware',
        'place/known-code',
        'place/required-facts',
        'place/serving-key',
        'place/freshness',
        REVOCATION,
      ],
      {
        options: { snp: { forge: (report) => report.map((byte, i) => (i === 0x90 ? byte ^ 1 : byte)) } },
      },
    ),
    played(
      'accepted-debugging',
      'The host may debug the guest.',
      'refuted',
      [
        TIME,
        'place/genuine-hardware',
        'place/known-code',
        'place/required-facts',
        'place/serving-key',
        'place/freshness',
        REVOCATION,
      ],
      {
        options: {
          snp: {
            edit: (report) => {
              report[10] = (report[10] ?? 0) | 8
            },
          },
        },
      },
    ),
    played(
      'refused-by-the-operator',
      'The operator refused evidence that nothing here speaks against.',
      'unproven',
      [TIME, 'place/required-facts', REVOCATION],
      {
        options: { logged: refused },
      },
    ),
    played(
      'unmet-requirement',
      'The policy asks to know who can touch the machine, and nothing shows it.',
      'unproven',
      [TIME, 'place/required-facts', REVOCATION],
      {
        options: { policy: { ...PLACE_POLICY, require: ['physical-trust'] }, logged: { outcome: 'unproven' } },
      },
    ),
    played(
      'listed-chip',
      'The policy asks to know who can touch the machine, and lists its chip.',
      'hardware-attested',
      OPEN,
      {
        options: {
          policy: { ...PLACE_POLICY, require: ['physical-trust'], physical: { chips: [toHex(hardwareId('milan'))] } },
        },
      },
    ),
  ]
}

function freshnessCases(): readonly VerdictCase[] {
  const empty = new Uint8Array(0)
  const stale = [TIME, 'place/freshness', REVOCATION]
  return [
    played('stale', 'The evidence is older than the policy allows.', 'unproven', stale, {
      options: { policy: { ...PLACE_POLICY, maxAgeMinutes: 5 }, logged: { gatheredAtMs: GATHERED_MS - 240_001 } },
    }),
    played('appraisal-run-out', 'The answer began after the appraisal was good for.', 'unproven', stale, {
      options: { logged: { validUntilMs: NOW_MS - 1 } },
    }),
    played('appraised-afterwards', 'The evidence was gathered long after the answer began.', 'unproven', stale, {
      options: { logged: { gatheredAtMs: NOW_MS + 301_000, appraisedAtMs: NOW_MS + 301_000 } },
    }),
    played('without-challenge', 'The evidence answers no challenge.', 'unproven', stale, { options: { nonce: empty } }),
    played('without-challenge-allowed', 'The same, and the policy allows it.', 'hardware-attested', OPEN, {
      options: { nonce: empty, policy: { ...PLACE_POLICY, allow: ['no-freshness'] } },
    }),
  ]
}

/** A demand of the trust file on what matches. */
function demand(policy: Json, match: Json = {}): string {
  return `places: ${JSON.stringify([{ name: 'ours', match, policy }])}\n`
}

function demandCases(): readonly VerdictCase[] {
  return [
    played(
      'demanded-and-met',
      'The trust file says what the place must be, and the manifest does not.',
      'hardware-attested',
      OPEN,
      {
        options: { policy: null },
        trust: demand(PLACE_POLICY, { deployment: 'credit', upstream: 'gateway' }),
      },
    ),
    played(
      'demanded-otherwise',
      'The trust file demands other code than the manifest.',
      'unproven',
      [TIME, 'place/known-code', 'place/required-facts', REVOCATION],
      {
        trust: demand(OTHER_POLICY),
      },
    ),
    played('demanded-of-others', 'The trust file’s demand is on another place.', 'hardware-attested', OPEN, {
      trust: demand(OTHER_POLICY, { upstream: 'provider' }),
    }),
    played(
      'demanded-against-the-manifest',
      'The operator said that its own policy was not met; the trust file’s is.',
      'hardware-attested',
      OPEN,
      {
        options: { policy: OTHER_POLICY, logged: { outcome: 'refused', failed: ['sev-snp/measurements'] } },
        trust: demand(PLACE_POLICY),
      },
    ),
    played(
      'demanded-and-not-named',
      'The trust file demands evidence, and the answer names no appraisal.',
      'unproven',
      ['place/appraisal'],
      {
        options: { isNamed: false, policy: null },
        trust: demand(PLACE_POLICY),
      },
    ),
  ]
}

function connectionCases(): readonly VerdictCase[] {
  const unproven = (name: string, description: string, options: PlaceOptions) =>
    played(name, description, 'unproven', [TIME, 'place/serving-key', REVOCATION], {
      options: { isUpstream: true, ...options },
    })
  return [
    played('of-an-upstream', 'An upstream’s hardware binds the key of its connections.', 'hardware-attested', OPEN, {
      options: { isUpstream: true },
    }),
    unproven('certificate-not-recorded', 'The statement names no certificate of the connection.', {
      attempt: { tlsCertificate: undefined as never },
    }),
    unproven(
      'certificate-of-another-time',
      'The answer came with another certificate than the one that was seen with the evidence.',
      {
        attempt: { tlsCertificate: sha256Hex(OTHER_TLS_CERTIFICATE) },
      },
    ),
    unproven('certificate-unreadable', 'The certificate that was seen cannot be read.', {
      logged: { tlsCertificate: toBase64(TLS_CERTIFICATE.slice(0, 99)) },
      attempt: { tlsCertificate: sha256Hex(TLS_CERTIFICATE.slice(0, 99)) },
    }),
    played(
      'certificate-with-another-key',
      'The certificate of the connection has another key than the evidence binds.',
      'refuted',
      [TIME, 'place/serving-key', REVOCATION],
      {
        options: {
          isUpstream: true,
          logged: { tlsCertificate: toBase64(OTHER_TLS_CERTIFICATE) },
          attempt: { tlsCertificate: sha256Hex(OTHER_TLS_CERTIFICATE) },
        },
      },
    ),
    played('of-a-failed-attempt', 'No attempt answered, so no place did.', 'unproven', ['place/served-by'], {
      options: { isUpstream: true, attempt: { outcome: 'failed' } },
    }),
  ]
}

const witness = witnessSigner('witness.example/a')

/** A trust file that asks for one witness, and a head that it cosigned at that time. */
function witnessed(
  name: string,
  description: string,
  place: Rows['place'],
  failing: readonly string[],
  shown: Shown & { readonly atMs?: number } = {},
) {
  const played = buildPlaceScene(shown.options ?? {})
  const { log } = played.scene
  const atSeconds = Math.floor((shown.atMs ?? NOW_MS) / 1000)
  const policy = `${logLine(log)}\nwitness a ${formatNoteKey(witness.key)}\nquorum a\n`
  const checkpoint = log.checkpoint(log.size, [(text) => witness.cosign(text, atSeconds)])
  const rows: Rows = { record: 'witnessed', ...(place === undefined ? {} : { place }) }
  const time = { notBeforeMs: null, notAfterMs: atSeconds * 1000 + 999 }
  return verdictCase(`place-${name}`, description, {
    ...{ trust: trustText(policy, played.scene, shown.trust), roots: played.roots },
    dossier: placeDossier(played, { checkpoint }),
    expect: { ...expectRows(rows, [...failing, NOT_RUN, NO_OWNERS]), time },
    ...shown.case,
  })
}

function timeCases(): readonly VerdictCase[] {
  const short = { lists: [{ nextUpdateMs: NOW_MS - 1 }] }
  return [
    witnessed(
      'witnessed',
      'Witnesses had seen the appraisal while all that it rests on was current.',
      'hardware-attested',
      [REVOCATION],
    ),
    witnessed(
      'witnessed-too-late',
      'Witnesses are shown to have seen it only when a revocation list had run out.',
      'hardware-attested',
      OPEN,
      {
        options: { snp: short },
      },
    ),
    witnessed('dated-ahead', 'The appraisal says that it was made after witnesses had seen it.', 'unproven', OPEN, {
      atMs: GATHERED_MS - 301_000,
    }),
  ]
}

const auditor = statementSigner('auditor')
const rival = statementSigner('rival')
const PARTIES = partyText('Example Auditor', 'auditor', auditor) + partyText('Example Rival', 'operator', rival)
const CHIP: Revoked = { kind: 'device', ids: [toHex(hardwareId('milan'))] }

/** Receipts of revocations in the log of the scene. */
function revoke(scene: PlaceScene['scene'], what: Revoked, since: number | null, by = auditor): readonly Json[] {
  const statement = revocationStatement(crypto, { what, since, reason: 'taken out of its machine', source: 'a notice' })
  const { log } = scene
  const { index } = log.append(statement, by)
  return [log.bundle(index, log.size)]
}

function revocationCases(): readonly VerdictCase[] {
  const revoked = (
    name: string,
    description: string,
    what: Revoked,
    more: { since?: number | null; by?: typeof auditor; holds?: boolean } = {},
  ) => {
    const { since = null, by = auditor, holds = false } = more
    const revocations = revoke(buildPlaceScene().scene, what, since, by)
    return played(`revoked-${name}`, description, holds ? 'hardware-attested' : 'unproven', holds ? [TIME] : OPEN, {
      trust: PARTIES,
      case: { revocations },
    })
  }
  const key = { use: 'signing-key', sha256: statementSigner('operator').keyId } as const
  const other = { use: 'signing-key', sha256: auditor.keyId } as const
  const later = revoke(buildPlaceScene().scene, CHIP, NOW_MS + 1000)
  const carried = buildPlaceScene()
  const inside = revoke(carried.scene, CHIP, null)
  const dossier = placeDossier(carried) as { readonly statements: readonly Json[] }
  return [
    revoked('device', 'The chip was revoked.', CHIP),
    revoked('device-of-others', 'Another chip was revoked.', { kind: 'device', ids: ['00'] }, { holds: true }),
    revoked(
      'device-from-then-on',
      'The chip was revoked from a time after the answer on, and no witness shows that the evidence is older.',
      CHIP,
      { since: NOW_MS + 1000 },
    ),
    revoked('measurement', 'The code was revoked.', {
      kind: 'measurement',
      tee: 'sev-snp',
      register: 'measurement',
      value: MEASUREMENT,
    }),
    revoked(
      'measurement-of-other-hardware',
      'The same value, measured by other hardware, was revoked.',
      { kind: 'measurement', tee: 'tdx', register: 'measurement', value: MEASUREMENT },
      { holds: true },
    ),
    revoked('key', 'The bound key was revoked.', { kind: 'key', key }),
    revoked('key-of-others', 'Another key was revoked.', { kind: 'key', key: other }, { holds: true }),
    revoked('by-the-operator', 'The operator itself revoked its chip.', CHIP, { by: statementSigner('operator') }),
    revoked('by-a-rival', 'Another operator revoked the chip: that counts for its own answers alone.', CHIP, {
      by: rival,
      holds: true,
    }),
    witnessed(
      'revoked-afterwards',
      'The chip was revoked from a time on by which witnesses had long seen the evidence.',
      'hardware-attested',
      [],
      {
        trust: PARTIES,
        case: { revocations: later },
      },
    ),
    witnessed(
      'revoked-before',
      'The chip was revoked from a time on by which nobody had seen the evidence.',
      'unproven',
      [REVOCATION],
      {
        trust: PARTIES,
        case: { revocations: revoke(buildPlaceScene().scene, CHIP, NOW_MS) },
      },
    ),
    played('revocation-carried', 'The dossier itself carries the revocation of the chip.', 'unproven', OPEN, {
      trust: PARTIES,
      case: { dossier: { ...dossier, statements: [...dossier.statements, ...inside] } },
    }),
  ]
}

function laterCases(): readonly VerdictCase[] {
  const { input } = snpEvidence()
  const certificates = input.collateral.items.filter(({ kind }) => kind === 'certificate')
  return [
    played(
      'unchanged-since',
      'Appraised again with the collateral of today, nothing has changed.',
      'hardware-attested',
      OPEN,
      {
        case: { collateral: collateralOf(input.collateral.items) },
      },
    ),
    played(
      'changed-since',
      'Today nobody vouches for the revocation list: the answer is of its own time.',
      'hardware-attested',
      [...OPEN, 'place/today'],
      {
        case: { collateral: collateralOf(certificates) },
      },
    ),
  ]
}
