/** Where an answer came about: each way in which evidence can hold, fall short, or show a word to be false. */
import { hardwareId } from '../attestation/sev-snp/sev-snp-evidence.testing.ts'
import { toHex } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { NOW_MS, statementSigner } from '../fixture.testing.ts'
import { OPEN, played, REVOCATION, TIME } from './place-case.testing.ts'
import { laterPlaceCases } from './place-later-cases.testing.ts'
import { GATHERED_MS, OTHER_POLICY, PLACE_POLICY } from './place-scene.testing.ts'
import type { VerdictCase } from './verdict-case.testing.ts'

export function placeCases(): readonly VerdictCase[] {
  return [
    ...ownPlaceCases(),
    ...fileCases(),
    ...wordCases(),
    ...requirementCases(),
    ...freshnessCases(),
    ...demandCases(),
    ...laterPlaceCases(),
  ]
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

const REFUSED = { outcome: 'refused', failed: ['sev-snp/measurements'] } as const
const OTHER_CODE: readonly string[] = [TIME, 'place/known-code', 'place/required-facts', REVOCATION]
const NOTHING_GENUINE: readonly string[] = [
  ...[TIME, 'place/genuine-hardware', 'place/known-code', 'place/required-facts', 'place/serving-key'],
  ...['place/freshness', REVOCATION],
]

function wordCases(): readonly VerdictCase[] {
  return [
    played(
      'accepted-other-code',
      'The operator logged that it accepted code which its own policy does not name.',
      'refuted',
      OTHER_CODE,
      {
        options: { policy: OTHER_POLICY },
      },
    ),
    played('refused-other-code', 'The same code, and the operator said so.', 'unproven', OTHER_CODE, {
      options: { policy: OTHER_POLICY, logged: REFUSED },
    }),
    played(
      'accepted-by-another-policy',
      'It was accepted by a policy that is no longer the manifest’s.',
      'unproven',
      OTHER_CODE,
      {
        options: { policy: OTHER_POLICY, logged: { policy: PLACE_POLICY } },
      },
    ),
    played(
      'accepted-forgery',
      'The operator logged that it accepted evidence which no hardware signed.',
      'refuted',
      NOTHING_GENUINE,
      {
        options: { snp: { forge: (report) => report.map((byte, i) => (i === 0x90 ? byte ^ 1 : byte)) } },
      },
    ),
    played('accepted-debugging', 'The host may debug the guest.', 'refuted', NOTHING_GENUINE, {
      options: {
        snp: {
          edit: (report) => {
            report[10] = (report[10] ?? 0) | 8
          },
        },
      },
    }),
  ]
}

function requirementCases(): readonly VerdictCase[] {
  return [
    played(
      'refused-by-the-operator',
      'The operator refused evidence that nothing here speaks against.',
      'unproven',
      [TIME, 'place/required-facts', REVOCATION],
      {
        options: { logged: REFUSED },
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
