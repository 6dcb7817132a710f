/** `countersign verify`: dossiers and proofs of misbehaviour in, verdicts out. */
import { createModelStore, type ModelStore, reexecute } from '@countersign/engines'
import {
  assessVerdict,
  CountersignError,
  createMemory,
  decideRecord,
  decideVerdict,
  type ExecutionResult,
  type Memory,
  type Misbehaviour,
  parseDossier,
  parseMisbehaviour,
  parseRequirements,
  parseTrustFile,
  planExecution,
  type Requirement,
  type Satisfaction,
  type Trust,
  type UnverifiedDossier,
  type Verdict,
  type VerdictInput,
  verifyMisbehaviour,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import type { Command } from 'commander'
import { readLaterWord } from '../attest/later-word.ts'
import { EXIT, type ExitCode, errorJson, exitCodeOf, gravest } from '../exit-codes.ts'
import { bundledModels, formatJson, readInput } from '../files.ts'
import { readFrom } from '../named-file.ts'
import {
  formatMisbehaviour,
  type MisbehaviourReport,
  type ProofResult,
  readProofFiles,
  requireTrust,
} from '../proof-files.ts'
import { createProgress, paint, print } from '../terminal.ts'
import { readTime } from '../time-option.ts'
import { formatVerdict } from '../verdict-table.ts'

export const REPORT_FORMAT = 'countersign-report/v1'

interface VerifyOptions {
  readonly trust?: string
  readonly require?: string
  readonly execute?: boolean
  readonly models?: string
  readonly at?: string
  readonly misbehaviour?: readonly string[]
  readonly collateral?: readonly string[]
  readonly revocation?: readonly string[]
  readonly json?: boolean
}

/** What came of one file. */
type FileResult =
  | { readonly file: string; readonly satisfaction: Satisfaction; readonly verdict: Verdict }
  | { readonly file: string; readonly misbehaviour: MisbehaviourReport }
  | { readonly file: string; readonly error: { readonly code: string; readonly message: string } }

const EXAMPLES = `
Examples:
  countersign verify answer.json --trust trust.yaml
  countersign verify *.json --trust trust.yaml --execute --require output:re-executed,accountable
  countersign verify old.json --trust trust.yaml --at 2026-01-31T00:00:00Z --json
  countersign verify fork.json --trust trust.yaml
  countersign verify answer.json --trust trust.yaml --misbehaviour fork.json
  countersign verify answer.json --trust trust.yaml --require place:hardware-attested --revocation leaked-key.json

Among the files may be proofs of misbehaviour. They count in the verdicts of the dossiers beside them, as those of
--misbehaviour do.

Exit codes: 0 the record and all required claims hold; 1 something is refuted, or one of the files proves misbehaviour;
3 a required claim is unproven; 2 bad usage, or a file that cannot be read or proves nothing. With several files the
gravest wins: 1, then 2, then 3.`

export function addVerify(program: Command): void {
  program
    .command('verify')
    .description('check dossiers offline and say, claim by claim, what holds; check proofs of misbehaviour')
    .argument('<file...>', 'dossiers, proofs of misbehaviour')
    .option('--trust <file>', 'whom you trust: log keys, policy, parties (YAML); without it nothing holds')
    .option('--require <claims>', 'claims that must hold, as claim[:grade],…; adds to those of the trust file')
    .option('--execute', 'run the model again and compare the output')
    .option('--models <folder>', 'where model files are, found by digest (default: the bundled ones)')
    .option('--at <time>', 'the time to judge by, ISO 8601 (default: now)')
    .option('--misbehaviour <file...>', 'proofs of misbehaviour to take into account')
    .option('--collateral <file...>', 'today’s collateral of hardware: says what changed about the place since')
    .option('--revocation <file...>', 'receipts of revocations to take into account')
    .option('--json', 'print a report for programs')
    .addHelpText('after', EXAMPLES)
    .action(async (files: readonly string[], options: VerifyOptions) => {
      process.exitCode = await verifyFiles(files, options)
    })
}

async function verifyFiles(files: readonly string[], options: VerifyOptions): Promise<ExitCode> {
  const crypto = createNodeCrypto()
  const trust =
    options.trust === undefined ? undefined : readFrom(options.trust, (content) => parseTrustFile(crypto, content))
  const requirements = [...(trust?.requirements ?? []), ...parseRequirements(options.require ?? '')]
  const proofs = readProofFiles(crypto, trust, files)
  const misbehaviour = readMisbehaviour(options, trust, proofs)
  const models = options.execute ? createModelStore({ folders: [options.models ?? bundledModels()] }) : undefined
  const input = {
    crypto,
    atMs: readTime(options.at),
    memory: createMemory(),
    ...(trust === undefined ? {} : { trust }),
    ...(misbehaviour === undefined ? {} : { misbehaviour }),
    ...readLaterWord(options, trust),
  }
  const results: FileResult[] = []
  const progress = createProgress('verifying', files.length)
  for (const file of files) {
    const proof = proofs.get(file)
    if (proof === undefined) results.push(await verifyFile(file, input, requirements, models))
    else results.push('error' in proof ? { file, ...proof } : { file, misbehaviour: proof.report })
    progress.update(results.length)
  }
  await models?.close()
  const exitCode = gravest(results.map(exitCodeOfFile))
  if (options.json) print(formatJson({ format: REPORT_FORMAT, results, exitCode }).trimEnd())
  else printResults(results, trust, requirements)
  return exitCode
}

function exitCodeOfFile(result: FileResult): ExitCode {
  if ('error' in result) return EXIT.usage
  return 'misbehaviour' in result ? EXIT.refuted : exitCodeOf(result.satisfaction)
}

async function verifyFile(
  file: string,
  input: VerdictInput & { readonly memory: Memory },
  requirements: readonly Requirement[],
  models: ModelStore | undefined,
): Promise<FileResult> {
  try {
    const dossier = parseDossier(readInput(file), input.memory)
    const executions = models === undefined ? [] : await execute(dossier, input, models)
    const verdict = decideVerdict(dossier, { ...input, executions })
    return { file, satisfaction: assessVerdict(verdict, requirements), verdict }
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown
    return { file, error: errorJson(thrown) }
  }
}

/** Runs what would settle `output`; nothing where the record does not hold, for then it is not known what to run. */
async function execute(
  dossier: UnverifiedDossier,
  input: VerdictInput,
  models: ModelStore,
): Promise<readonly ExecutionResult[]> {
  const { answer } = decideRecord(dossier, input)
  if (answer === undefined) return []
  try {
    return [await reexecute(planExecution(answer), { models })]
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown
    return [{ statement: answer.statement, outcome: 'unavailable', code: thrown.code, reason: thrown.message }]
  }
}

/** Everything that was proven; `undefined` when nobody looked. */
function readMisbehaviour(
  { misbehaviour }: VerifyOptions,
  trust: Trust | undefined,
  proofs: ReadonlyMap<string, ProofResult>,
): readonly Misbehaviour[] | undefined {
  const beside = [...proofs.values()].flatMap((each) => ('proven' in each ? [each.proven] : []))
  if (misbehaviour === undefined) return proofs.size === 0 ? undefined : beside
  const crypto = createNodeCrypto()
  const trusted = requireTrust(trust, '--misbehaviour')
  const named = misbehaviour.map((file) =>
    readFrom(file, (content) => verifyMisbehaviour(crypto, trusted, parseMisbehaviour(content))),
  )
  return [...named, ...beside]
}

function printResults(
  results: readonly FileResult[],
  trust: Trust | undefined,
  requirements: readonly Requirement[],
): void {
  for (const result of results) {
    print(paint('bold', result.file))
    if ('error' in result) print(`${paint('red', 'cannot be read')}  ${result.error.code}: ${result.error.message}\n`)
    else if ('misbehaviour' in result) print(formatMisbehaviour(result.misbehaviour))
    else print(formatVerdict(result.verdict))
  }
  if (results.length > 1 || requirements.length > 0) print(summaryOf(results, requirements))
  if (trust === undefined)
    print('No trust file was given, so nothing can hold: pass --trust FILE (see spec/trust-file.md).')
}

/** What was asked of the files, and how many of them came out how. */
function summaryOf(results: readonly FileResult[], requirements: readonly Requirement[]): string {
  const asked = requirements.map(({ claim, grade }) => (grade === undefined ? claim : `${claim} (${grade} or better)`))
  const counts = new Map<string, number>()
  for (const result of results) {
    const what = outcomeOf(result)
    counts.set(what, (counts.get(what) ?? 0) + 1)
  }
  const total = results.length === 1 ? '1 file' : `${results.length} files`
  const parts = [...counts].map(([what, count]) => `${count} ${what}`)
  return `Required: ${[...new Set(['record', ...asked])].join(', ')}\n${total}: ${parts.join(', ')}`
}

function outcomeOf(result: FileResult): string {
  if ('error' in result) return 'not readable'
  return 'misbehaviour' in result ? 'of misbehaviour' : result.satisfaction
}
