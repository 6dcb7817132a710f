/** What auditors say of an answer, and whose word counts. */
import { boundOf, countOutcomes } from '../audit/audit.ts'
import { toHex } from '../bytes/bytes.ts'
import { createNobleCrypto } from '../crypto/noble-provider.ts'
import { formatTensor } from '../execution/tensor.ts'
import { NOW_MS, ORIGIN, type StatementSigner, statementSigner, witnessSigner } from '../fixture.testing.ts'
import { hashLeaf } from '../log/merkle.ts'
import { formatNoteKey } from '../log/note.ts'
import {
  buildScene,
  logLine,
  MODEL_DIGEST,
  partyText,
  type Scene,
  type SceneOptions,
  sceneDossier,
  trustText,
} from '../scene.testing.ts'
import { type AuditResult, auditResultStatement } from '../statement/audit-result.ts'
import type { AuditedEntry } from '../statement/audited-entry.ts'
import { expectRows, NO_OWNERS, NOT_RUN, PLAIN_FAILING, type VerdictCase, verdictCase } from './verdict-case.testing.ts'

type Rows = Parameters<typeof expectRows>[0]

const crypto = createNobleCrypto()
const auditor = statementSigner('auditor')
const OTHER = 'ab'.repeat(32)
const PASSED_OVER = 'output/other-auditor'

interface Words {
  readonly scene?: SceneOptions
  /** What each auditor says, who signs, and what is changed of its result. */
  readonly says: readonly {
    readonly entry?: Partial<AuditedEntry>
    readonly signer?: StatementSigner
    readonly result?: Partial<AuditResult>
  }[]
  /** Parties of the trust file, beside the scene's. */
  readonly parties?: string
}

const TRUSTED = partyText('Example Auditor', 'auditor', auditor)

function resultOf(scene: Scene, entry: Partial<AuditedEntry>, changes: Partial<AuditResult>): AuditResult {
  const entries: readonly AuditedEntry[] = [
    {
      index: scene.index,
      leafHash: toHex(hashLeaf(crypto, scene.log.entry(scene.index).leaf)),
      outcome: 'agreed',
      statement: scene.statement,
      profile: 'reference-profile',
      ...entry,
    },
  ]
  const counts = countOutcomes(entries)
  const { size, root } = scene.log.head()
  return {
    ...{ auditor: 'Example Auditor', commitment: OTHER, log: ORIGIN, seed: OTHER, from: 1, to: size },
    head: { size, root: toHex(root), confirmedAtSeconds: NOW_MS / 1000 },
    ...{ counts, entries, cost: { computeMs: 5 }, bound: boundOf(counts, 990_000), endedAtMs: NOW_MS },
    ...changes,
  }
}

/** Logs an audit result for each; their indexes. */
export function logAudits(scene: Scene, says: Words['says']): readonly number[] {
  return says.map(({ entry = {}, signer = auditor, result = {} }) => {
    return scene.log.append(auditResultStatement(resultOf(scene, entry, result)), signer).index
  })
}

function build(
  name: string,
  description: string,
  words: Words,
  rows: Parameters<typeof expectRows>[0],
  failing: readonly string[],
  by?: string,
): VerdictCase {
  const scene = buildScene(words.scene ?? {})
  const added = logAudits(scene, words.says)
  return verdictCase(name, description, {
    trust: `${scene.trustText}${words.parties ?? TRUSTED}`,
    dossier: sceneDossier({ ...scene, linked: [...scene.linked, ...added] }),
    expect: expectRows(rows, [...failing, NO_OWNERS], by),
  })
}

const holds = { output: 'auditor-re-executed' } as const

export function auditCases(): readonly VerdictCase[] {
  return [...countedCases(), ...strangerCases(), ...otherEntryCases(), ...conflictCases(), ...ownerCases()]
}

function countedCases(): readonly VerdictCase[] {
  const tolerant = { model: { agreement: 'tolerant' } } as const
  const differed = { entry: { outcome: 'differed', code: 'execution/output-differs' } } as const
  return [
    build('auditor-agreed', 'A trusted auditor ran the model again, and it agreed.', { says: [{}] }, holds, [NOT_RUN]),
    build(
      'auditor-differed',
      'A trusted auditor says that the output differs.',
      { says: [differed] },
      { output: 'refuted' },
      [NOT_RUN, 'output/auditor'],
      'output/auditor',
    ),
    build(
      'auditor-differed-tolerated',
      'An auditor says that the output differs, and only tolerant agreement is promised.',
      { scene: tolerant, says: [differed] },
      {},
      [NOT_RUN],
    ),
    build(
      'auditor-refused',
      'The auditor was refused the content: it says nothing of the output.',
      { says: [{ entry: { outcome: 'refused', code: 'vault/erased' } }] },
      {},
      [NOT_RUN],
    ),
  ]
}

function strangerCases(): readonly VerdictCase[] {
  const ownersOf = (owner: string) => TRUSTED.replace('Example Auditor Ltd', owner)
  const passed = [NOT_RUN, PASSED_OVER]
  return [
    build('auditor-unknown', 'The trust file does not know the auditor.', { says: [{}], parties: '' }, {}, passed),
    build(
      'auditor-without-the-role',
      'The party is trusted, and not as an auditor.',
      { says: [{}], parties: partyText('Example Auditor', 'arbiter', auditor) },
      {},
      passed,
    ),
    build(
      'auditor-of-the-operator',
      'The auditor and the operator have one owner.',
      { says: [{}], parties: ownersOf('Example Operator Ltd') },
      {},
      passed,
    ),
    build(
      'auditor-signed-by-the-operator',
      'The operator signed an audit result itself.',
      { says: [{ signer: statementSigner('operator') }] },
      {},
      passed,
    ),
  ]
}

function otherEntryCases(): readonly VerdictCase[] {
  const says = (entry: Partial<AuditedEntry>, result: Partial<AuditResult> = {}): Words => ({
    says: [{ entry, result }],
  })
  return [
    build('auditor-of-another-leaf', 'The result lists another leaf at this index.', says({ leafHash: OTHER }), {}, [
      NOT_RUN,
    ]),
    build('auditor-of-another-index', 'The result lists another index.', says({ index: 1 }), {}, [NOT_RUN]),
    build('auditor-of-another-statement', 'The result names another statement.', says({ statement: OTHER }), {}, [
      NOT_RUN,
    ]),
    build(
      'auditor-in-another-profile',
      'Another profile was run than the manifest names.',
      says({ profile: 'served-profile' }),
      {},
      [NOT_RUN],
    ),
    build('auditor-of-another-log', 'The result is about another log.', says({}, { log: 'example.org/other' }), {}, [
      NOT_RUN,
    ]),
    build('auditor-result-malformed', 'The result cannot be read.', says({}, { seed: 'none' }), {}, [
      NOT_RUN,
      PASSED_OVER,
    ]),
  ]
}

function conflictCases(): readonly VerdictCase[] {
  const second = statementSigner('second auditor')
  const parties = `${TRUSTED}${partyText('Second Auditor', 'auditor', second)}`
  const differed = { entry: { outcome: 'differed' }, signer: second } as const
  const disagreement: Words = { says: [{}, differed], parties }
  const plain = build(
    'auditors-disagree',
    'One auditor agrees, another differs: one that differs is enough.',
    disagreement,
    { output: 'refuted' },
    [NOT_RUN, 'output/auditor'],
    'output/auditor',
  )
  const scene = buildScene()
  const run = (value: number, rows: Parameters<typeof expectRows>[0], failing: readonly string[], by?: string) => ({
    ...plain,
    executions: [
      {
        ...{ statement: scene.statement, outcome: 'ran', modelDigest: MODEL_DIGEST, profile: 'reference-profile' },
        outputs: [formatTensor({ name: 'y', datatype: 'FP32', shape: [1, 1], data: Float32Array.of(value) })],
      },
    ],
    expect: expectRows(rows, [...failing, NO_OWNERS], by),
  })
  return [
    plain,
    build(
      'auditor-behind-a-stranger',
      'An unknown auditor’s word stands before a trusted one’s.',
      { says: [{ signer: second }, {}] },
      holds,
      [NOT_RUN, PASSED_OVER],
    ),
    {
      ...run(0.25, { output: 're-executed' }, []),
      name: 'auditor-overruled-here',
      description: 'An auditor says that the output differs; it was run here, and agreed.',
    },
    {
      ...run(0.5, { output: 'refuted' }, ['output/agreement'], 'output/agreement'),
      name: 'auditor-agreed-and-run-here',
      description: 'An auditor agreed; it was run here, and differs.',
    },
    { ...unavailable(scene), expect: expectRows(holds, [...PLAIN_FAILING]) },
  ]
}

function unavailable(scene: Scene): VerdictCase {
  const plain = build(
    'auditor-agreed-engine-missing',
    'It could not be run here; an auditor could.',
    { says: [{}] },
    holds,
    [NOT_RUN],
  )
  const reason = 'the engine is not here'
  return {
    ...plain,
    executions: [{ statement: scene.statement, outcome: 'unavailable', code: 'execution/engine-missing', reason }],
  }
}

const witness = witnessSigner('witness.example/a')

/** A case whose record a witness confirmed, too. */
function witnessed(
  name: string,
  description: string,
  { says, parties = '' }: Words,
  rows: Rows,
  failing: readonly string[],
  by?: string,
): VerdictCase {
  const scene = buildScene()
  const policy = `${logLine(scene.log)}\nwitness a ${formatNoteKey(witness.key)}\nquorum a\n`
  const added = logAudits(scene, says)
  const note = scene.log.checkpoint(scene.log.size, [(text) => witness.cosign(text, NOW_MS / 1000)])
  return verdictCase(name, description, {
    trust: trustText(policy, scene, parties),
    dossier: sceneDossier({ ...scene, linked: [...scene.linked, ...added] }, note),
    expect: expectRows({ record: 'witnessed', ...rows }, failing, by),
  })
}

/** Auditors beside a witness: whose owners count for `independence`. */
function ownerCases(): readonly VerdictCase[] {
  const second = statementSigner('second auditor')
  const two = `${TRUSTED}${partyText('Second Auditor', 'auditor', second)}`
  const oneOwner = two.replace('Second Auditor Ltd', 'Example Auditor Ltd')
  const bySecond = { signer: second } as const
  const differed = { entry: { outcome: 'differed' } } as const
  const witnessOf = (owner: string) => `- name: A\n  owner: ${owner}\n  witnesses: [a]\n`
  const confirmed = { ...holds, independence: 'auditor-re-executed' } as const
  return [
    witnessed(
      'auditor-and-witness',
      'A witness and an auditor of two owners confirm the record.',
      { says: [{}], parties: TRUSTED + witnessOf('A Ltd') },
      confirmed,
      [NOT_RUN],
    ),
    witnessed(
      'auditor-and-witness-of-one-owner',
      'A witness and an auditor of one owner count once.',
      { says: [{}], parties: TRUSTED + witnessOf('Example Auditor Ltd') },
      holds,
      PLAIN_FAILING,
    ),
    witnessed(
      'two-auditors',
      'Two auditors of two owners confirm; nobody knows whose the witness is.',
      { says: [{}, bySecond], parties: two },
      confirmed,
      [NOT_RUN],
    ),
    witnessed(
      'two-auditors-of-one-owner',
      'Two auditors of one owner count once.',
      { says: [{}, bySecond], parties: oneOwner },
      holds,
      PLAIN_FAILING,
    ),
    witnessed(
      'one-auditor-twice',
      'One auditor has two audits that list the answer: that is one.',
      { says: [{}, { result: { endedAtMs: NOW_MS + 1 } }], parties: TRUSTED },
      holds,
      PLAIN_FAILING,
    ),
    witnessed(
      'auditor-agreed-another-differed',
      'Where an auditor differs, none that agrees counts.',
      { says: [{}, { ...differed, ...bySecond }], parties: two + witnessOf('A Ltd') },
      { output: 'refuted' },
      [NOT_RUN, 'output/auditor', NO_OWNERS],
      'output/auditor',
    ),
    witnessed(
      'auditor-refused-and-witness',
      'An auditor that was refused the content confirms nothing.',
      { says: [{ entry: { outcome: 'refused', code: 'vault/erased' } }], parties: TRUSTED + witnessOf('A Ltd') },
      {},
      PLAIN_FAILING,
    ),
  ]
}
