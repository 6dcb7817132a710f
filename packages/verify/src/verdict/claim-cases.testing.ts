/** Ways for the claims that rest on the record to hold, to be refuted, and to stay unproven. */

import { toBase64 } from '../bytes/base64.ts'
import type { Json } from '../bytes/json.ts'
import { withValueAt } from '../bytes/json-edit.testing.ts'
import { type StatementSigner, statementSigner } from '../fixture.testing.ts'
import {
  acceptanceStatement,
  buildScene,
  DEADLINES,
  MODEL_DIGEST,
  partyText,
  type SceneOptions,
  sceneDossier,
} from '../scene.testing.ts'
import { expectRows, PLAIN_FAILING, type VerdictCase, verdictCase } from './verdict-case.testing.ts'

const ACCEPTANCE = 2
const OTHER_DIGEST = 'ab'.repeat(32)

export function claimCases(): readonly VerdictCase[] {
  return [...modelCases(), ...registrationCases(), ...missingCases(), ...acceptanceCases(), ...accepterCases()]
}

type Rows = Parameters<typeof expectRows>[0]

/** A case of a scene played with `options`. */
function played(
  name: string,
  description: string,
  options: SceneOptions,
  rows: Rows,
  failing: readonly string[],
  by?: string,
  more = '',
): VerdictCase {
  const scene = buildScene(options)
  const expect = expectRows(rows, failing, by)
  return verdictCase(name, description, { trust: `${scene.trustText}${more}`, dossier: sceneDossier(scene), expect })
}

function modelCases(): readonly VerdictCase[] {
  const model = {
    requested: 'credit',
    served: 'credit',
    digestSource: 'loaded-file',
    digest: { sha256: OTHER_DIGEST },
  } as const
  return [
    played(
      'model-registered-by-publisher',
      'The model’s publisher registered it with its own key.',
      { registrar: statementSigner('publisher') },
      { model: 'provider-signed' },
      PLAIN_FAILING,
    ),
    played(
      'model-without-digest',
      'The statement names no digest of the weights.',
      { predicate: { model: { requested: 'credit', served: 'credit', digestSource: 'unknown' } } },
      { model: 'unproven' },
      ['model/digest', ...PLAIN_FAILING],
    ),
    played(
      'model-not-in-manifest',
      'The manifest allows no model with that digest.',
      { predicate: { model } },
      { model: 'refuted' },
      ['model/manifest', ...PLAIN_FAILING],
      'model/manifest',
    ),
    played(
      'model-on-another-engine',
      'The manifest allows the model, on another version of the engine.',
      { predicate: { engine: { name: 'onnxruntime-node', version: '1.29.0', profile: 'served-profile' } } },
      { model: 'refuted' },
      ['model/manifest', ...PLAIN_FAILING],
      'model/manifest',
    ),
    played(
      'model-digest-reported-by-upstream',
      'The digest is what an upstream said.',
      { predicate: { model: { ...model, digestSource: 'upstream-reported', digest: { sha256: MODEL_DIGEST } } } },
      { model: 'unproven' },
      ['model/digest', ...PLAIN_FAILING],
    ),
    {
      ...played(
        'model-registered-by-the-operators-own-publisher',
        'The publisher and the operator have one owner.',
        { registrar: statementSigner('publisher') },
        {},
        PLAIN_FAILING,
      ),
      trust: buildScene().trustText.replace('owner: Example Publisher Ltd', 'owner: Example Operator Ltd'),
    },
  ]
}

function registrationCases(): readonly VerdictCase[] {
  return [
    played(
      'model-registered-by-a-stranger',
      'The registration is signed with a key that the trust file does not know.',
      { registrar: statementSigner('stranger') },
      { model: 'unproven' },
      ['model/registration', ...PLAIN_FAILING],
    ),
    played(
      'model-registered-with-another-file',
      'The registration lists another file than the manifest.',
      { registered: OTHER_DIGEST },
      { model: 'refuted' },
      ['model/registration', ...PLAIN_FAILING],
      'model/registration',
    ),
    played(
      'manifest-of-another-name',
      'The manifest that the answer names is for a deployment of another name.',
      { deployment: { name: 'mortgage' } },
      { model: 'refuted', accountable: 'refuted' },
      ['model/deployment', ...PLAIN_FAILING, 'accountable/deployment'],
      'model/deployment',
    ),
  ]
}

function missingCases(): readonly VerdictCase[] {
  const scene = buildScene()
  const honest = sceneDossier(scene)
  const without = (position: number) => withValueAt(honest, ['statements', position], undefined)
  const build = (
    name: string,
    description: string,
    dossier: Json,
    rows: Rows,
    failing: readonly string[],
    by?: string,
  ) => verdictCase(name, description, { trust: scene.trustText, dossier, expect: expectRows(rows, failing, by) })
  const forged = withValueAt(honest, ['statements', 1, 'dsseEnvelope', 'payload'], toBase64(scene.log.entry(0).payload))
  return [
    build('registration-missing', 'The registration is not carried.', without(0), { model: 'unproven' }, [
      'model/registration',
      ...PLAIN_FAILING,
    ]),
    build(
      'deployment-missing',
      'The manifest is not carried.',
      without(1),
      { model: 'unproven', accountable: 'unproven' },
      ['model/deployment', ...PLAIN_FAILING, 'accountable/deployment'],
    ),
    build(
      'deployment-swapped',
      'In the place of the manifest stands another payload.',
      forged,
      { model: 'unproven', accountable: 'unproven' },
      ['model/deployment', ...PLAIN_FAILING, 'accountable/deployment'],
    ),
    build('acceptance-missing', 'No acceptance is carried.', without(ACCEPTANCE), { accountable: 'unproven' }, [
      ...PLAIN_FAILING,
      'accountable/acceptance',
    ]),
    build(
      'deployment-proof-broken',
      'The manifest’s inclusion proof is another entry’s.',
      withValueAt(
        honest,
        ['statements', 1, 'verificationMaterial', 'tlogEntries', 0, 'inclusionProof', 'hashes', 0],
        toBase64(new Uint8Array(32)),
      ),
      { model: 'refuted', accountable: 'refuted' },
      ['model/deployment', ...PLAIN_FAILING, 'accountable/deployment'],
      'model/deployment',
    ),
  ]
}

function acceptanceCases(): readonly VerdictCase[] {
  const refuted = (name: string, description: string, options: SceneOptions) =>
    played(
      name,
      description,
      options,
      { accountable: 'refuted' },
      [...PLAIN_FAILING, 'accountable/same-manifest'],
      'accountable/same-manifest',
    )
  const manifest = (statement: string, name = 'credit') => ({ acceptance: { deployment: { name, statement } } })
  return [
    refuted(
      'acceptance-of-another-manifest',
      'The acceptance is for another manifest than it is filed under.',
      manifest(OTHER_DIGEST),
    ),
    refuted('acceptance-of-other-deadlines', 'The party accepted other deadlines than the manifest promises.', {
      acceptance: { deadlines: { ...DEADLINES, respondDays: 31 } },
    }),
    refuted('acceptance-with-another-contact', 'The party named another contact.', {
      acceptance: { contact: 'nobody@example.org' },
    }),
    refuted('acceptance-in-another-name', 'The acceptance names another party.', {
      acceptance: { party: 'Somebody Else' },
    }),
    played(
      'acceptance-after-the-answer',
      'The party accepted after the answer; the reason says so.',
      { acceptedLate: true },
      {},
      PLAIN_FAILING,
    ),
    played(
      'labelled-example',
      'The deployment is a labelled example; the reason says that nobody real answers.',
      { deployment: { example: true } },
      { accountable: 'operator-asserted' },
      PLAIN_FAILING,
    ),
  ]
}

function accepterCases(): readonly VerdictCase[] {
  const other = statementSigner('other accountable')
  const failing = (check: string) => [...PLAIN_FAILING, check]
  return [
    played(
      'acceptance-by-an-unknown-key',
      'The acceptance is signed with a key that the trust file does not know.',
      { accepter: other },
      { accountable: 'unproven' },
      failing('accountable/acceptance'),
    ),
    played(
      'acceptance-by-another-party',
      'The acceptance is signed by another accountable party than the manifest names.',
      { accepter: other },
      { accountable: 'refuted' },
      failing('accountable/same-manifest'),
      'accountable/same-manifest',
      partyText('Other Accountable', 'accountable', other),
    ),
    ...acceptedBehindAFalseOne(other),
    played(
      'acceptance-by-the-operator',
      'The operator’s key, which is not trusted as an accountable party’s, signed the acceptance.',
      { accepter: statementSigner('operator') },
      { accountable: 'unproven' },
      failing('accountable/acceptance'),
    ),
    {
      ...played(
        'accountable-party-of-the-operator',
        'The accountable party and the operator have one owner.',
        {},
        { accountable: 'operator-asserted' },
        PLAIN_FAILING,
      ),
      trust: buildScene().trustText.replace('owner: Example Accountable Ltd', 'owner: Example Operator Ltd'),
    },
  ]
}

/** Anybody who hands a dossier on can put a statement of their own into it. */
function acceptedBehindAFalseOne(stranger: StatementSigner): readonly VerdictCase[] {
  const build = (name: string, description: string, options: SceneOptions) => {
    const scene = buildScene({ accepter: stranger, ...options })
    const { index } = scene.log.append(acceptanceStatement(scene.deployment), scene.accountable)
    return verdictCase(name, description, {
      trust: scene.trustText,
      dossier: sceneDossier({ ...scene, linked: [...scene.linked, index] }),
      expect: expectRows({}, PLAIN_FAILING),
    })
  }
  return [
    build('acceptance-behind-a-false-one', 'A false acceptance stands before the true one.', {
      acceptance: { contact: 'nobody@example.org' },
    }),
    build('acceptance-behind-a-false-copy', 'The same text, signed by a stranger, stands before the true one.', {}),
  ]
}
