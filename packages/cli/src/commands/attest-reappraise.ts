/** `countersign attest reappraise`: what newer collateral and revocations change about answers that were kept. */
import {
  CountersignError,
  createMemory,
  isChanged,
  type PlaceFinding,
  parseDossier,
  parseTrustFile,
  type Reappraisal,
  reappraise,
  type VerdictInput,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import type { Command } from 'commander'
import { readLaterWord } from '../attest/later-word.ts'
import { EXIT, type ExitCode, errorJson, gravest } from '../exit-codes.ts'
import { formatJson, readInput } from '../files.ts'
import { readFrom } from '../named-file.ts'
import { createProgress, paint, paintStatus, print, wrap } from '../terminal.ts'
import { readTime } from '../time-option.ts'

export const REAPPRAISALS_FORMAT = 'countersign-reappraisals/v1'

interface ReappraiseOptions {
  readonly trust: string
  readonly collateral?: readonly string[]
  readonly revocation?: readonly string[]
  readonly at?: string
  readonly all?: boolean
  readonly json?: boolean
}

type FileResult =
  | ({ readonly file: string; readonly changed: boolean } & Reappraisal)
  | { readonly file: string; readonly error: { readonly code: string; readonly message: string } }

const EXAMPLES = `
A revocation is the receipt of a statement (see spec/revocation.md), by a party whose revocations your trust file lets count.
Answers that the log dates before a compromise keep their grade; other answers fall. That a machine was retired, or that a
certificate ran out since, changes nothing.

Examples:
  countersign attest reappraise dossiers/*.json --trust trust.yaml --revocation leaked-key.json
  countersign attest reappraise dossiers/*.json --trust trust.yaml --collateral today.json --json

Exit codes: 0 nothing changed; 1 the place of an answer is refuted now; 3 the place of an answer fell, or is unproven otherwise
than before; 2 bad usage, or a file that cannot be read.`

export function addAttestReappraise(attest: Command): void {
  attest
    .command('reappraise')
    .description('list what newer collateral and revocations change about the places of kept answers')
    .argument('<dossier...>', 'dossiers')
    .requiredOption('--trust <file>', 'whom you trust, and whose revocations count (YAML)')
    .option('--collateral <file...>', 'today’s collateral, from the makers of the hardware')
    .option('--revocation <file...>', 'receipts of revocations')
    .option('--at <time>', 'the time to judge by, ISO 8601 (default: now)')
    .option('--all', 'list what did not change as well')
    .option('--json', 'print a report for programs')
    .addHelpText('after', EXAMPLES)
    .action((files: readonly string[], options: ReappraiseOptions) => {
      process.exitCode = reappraiseFiles(files, options)
    })
}

function reappraiseFiles(files: readonly string[], options: ReappraiseOptions): ExitCode {
  const crypto = createNodeCrypto()
  const trust = readFrom(options.trust, (content) => parseTrustFile(crypto, content))
  const before = { crypto, trust, atMs: readTime(options.at), memory: createMemory() }
  const after: VerdictInput = { ...before, ...readLaterWord(options, trust) }
  const progress = createProgress('reappraising', files.length)
  const results = files.map((file, i) => {
    const result = reappraiseFile(file, before, after)
    progress.update(i + 1)
    return result
  })
  const exitCode = gravest(results.map(exitCodeOfFile))
  if (options.json) print(formatJson({ format: REAPPRAISALS_FORMAT, results, exitCode }).trimEnd())
  else printResults(results, options.all === true)
  return exitCode
}

function reappraiseFile(file: string, before: VerdictInput, after: VerdictInput): FileResult {
  try {
    const [found] = reappraise([parseDossier(readInput(file), before.memory)], before, after)
    if (found === undefined) throw new CountersignError('file/unreadable', `${file}: nothing to appraise`)
    return { file, changed: isChanged(found), ...found }
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown
    return { file, error: errorJson(thrown) }
  }
}

function exitCodeOfFile(result: FileResult): ExitCode {
  if ('error' in result) return EXIT.usage
  const { before, after } = result
  if (before?.status === after?.status && before?.grade === after?.grade) return EXIT.ok
  return after?.status === 'refuted' ? EXIT.refuted : EXIT.unproven
}

function printResults(results: readonly FileResult[], isAll: boolean): void {
  for (const result of results) {
    if ('error' in result) {
      print(
        `${paint('bold', result.file)}  ${paint('red', 'cannot be read')}  ${result.error.code}: ${result.error.message}`,
      )
    } else if (result.changed || isAll) {
      print(paint('bold', result.file))
      print(`  before  ${formatFinding(result.before)}`)
      print(`  now     ${formatFinding(result.after)}`)
      for (const { name, before, after, detail } of result.changes) {
        print(wrap(`  ${name}: ${before} → ${after}${detail === undefined ? '' : `, ${detail}`}`, '    '))
      }
    }
  }
  const changed = results.filter((result) => 'changed' in result && result.changed).length
  print(`${changed} of ${results.length} changed`)
}

function formatFinding(finding: PlaceFinding | null): string {
  if (finding === null) return 'no place is decided: the record does not hold'
  const grade = finding.grade === null ? '' : ` ${finding.grade}`
  return wrap(`${paintStatus(finding.status)}${grade}  ${finding.reason}`, '          ')
}
