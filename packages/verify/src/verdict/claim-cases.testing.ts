/** Ways for the claims that rest on the record to hold, to be refuted, and to stay unproven. */

import { toBase64 } from '../bytes/base64.ts'
import type { Json } from '../bytes/json.ts'
import { withValueAt } from '../bytes/json-edit.testing.ts'
import { formatTensor } from '../execution/tensor.ts'
import { statementSigner } from '../fixture.testing.ts'
import { buildScene, DEADLINES, MODEL_DIGEST, partyText, type SceneOptions, sceneDossier } from '../scene.testing.ts'
import { expectRows, NO_OWNERS, NOT_RUN, PLAIN_FAILING, type VerdictCase, verdictCase } from './verdict-case.testing.ts'

const ACCEPTANCE = 2
const OTHER_DIGEST = 'ab'.repeat(32)

export function claimCases(): readonly VerdictCase[] {
  return [...modelCases(), ...missingCases(), ...outputCases(), ...acceptanceCases(), ...accepterCases()]
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

function outputCases(): readonly VerdictCase[] {
  const scene = buildScene()
  const tolerant = buildScene({ model: { agreement: 'tolerant' } })
  const honest = sceneDossier(scene)
  const tensor = (value: number, shape = [1, 1]) =>
    formatTensor({ name: 'y', datatype: 'FP32', shape, data: Float32Array.of(value) })
  const ran = (outputs: readonly Json[], more: { readonly [key: string]: Json } = {}): Json => ({
    statement: scene.statement,
    outcome: 'ran',
    modelDigest: MODEL_DIGEST,
    profile: 'reference-profile',
    outputs,
    ...more,
  })
  const unavailable = (code: string): Json => ({
    ...{ statement: scene.statement, outcome: 'unavailable', code },
    reason: 'the model could not be run here',
  })
  const build = (
    name: string,
    description: string,
    execution: Json,
    rows: Rows,
    failing: readonly string[],
    by?: string,
  ) =>
    verdictCase(name, description, {
      trust: scene.trustText,
      dossier: honest,
      executions: [execution],
      expect: expectRows(rows, [...failing, NO_OWNERS], by),
    })
  const same = ran([tensor(0.25)])
  const disagrees = ['output/agreement'] as const
  return [
    build('output-re-executed', 'Running the model again gave the same output.', same, { output: 're-executed' }, []),
    build(
      'output-differs',
      'Exact agreement is promised, and the output differs.',
      ran([tensor(0.2500001)]),
      { output: 'refuted' },
      disagrees,
      disagrees[0],
    ),
    build(
      'output-of-another-shape',
      'The output has another shape.',
      ran([tensor(0.25, [1])]),
      { output: 'refuted' },
      disagrees,
      disagrees[0],
    ),
    build(
      'output-with-one-more',
      'There is an output more than the answer has.',
      ran([tensor(0.25), tensor(1)]),
      { output: 'refuted' },
      disagrees,
      disagrees[0],
    ),
    {
      ...build(
        'output-differs-tolerated',
        'The output differs, and only tolerant agreement is promised.',
        ran([tensor(0.26)], { statement: tolerant.statement }),
        { output: 'unproven' },
        disagrees,
      ),
      trust: tolerant.trustText,
      dossier: sceneDossier(tolerant),
    },
    build(
      'output-for-another-statement',
      'The execution is for another statement.',
      ran([tensor(0.25)], { statement: OTHER_DIGEST }),
      {},
      [NOT_RUN],
    ),
    build(
      'output-in-another-profile',
      'Another profile was run than the manifest names.',
      ran([tensor(0.25)], { profile: 'served-profile' }),
      {},
      ['output/model-file'],
    ),
    build(
      'output-of-another-file',
      'Another file was run than the manifest names.',
      ran([tensor(0.25)], { modelDigest: OTHER_DIGEST }),
      {},
      ['output/model-file'],
    ),
    build('output-model-unavailable', 'The model’s file was not found.', unavailable('execution/model-not-found'), {}, [
      NOT_RUN,
    ]),
    build('output-file-unreadable', 'The model’s file could not be read.', unavailable('file/unreadable'), {}, [
      NOT_RUN,
    ]),
    {
      ...build('output-not-opened', 'The response is not opened, so there is nothing to compare with.', same, {}, [
        'output/answer',
      ]),
      dossier: withValueAt(honest, ['openings', 1], undefined),
    },
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
