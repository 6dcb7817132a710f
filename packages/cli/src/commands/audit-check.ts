/** `countersign audit check`: whether an audit looked at what it was bound to look at, for those who were not there. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  AUDIT_OUTCOMES,
  type CheckedAudit,
  CountersignError,
  FILE_LIMITS,
  Fields,
  parseAuditProof,
  parseBundle,
  parseJson,
  parseNote,
  parseTrustFile,
  type UnverifiedAudit,
  type UnverifiedReceipt,
  verifyAuditFiles,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import type { Command } from 'commander'
import { EXIT, type ExitCode, errorJson } from '../exit-codes.ts'
import { formatJson, readInput } from '../files.ts'
import { readFrom } from '../named-file.ts'
import { formatShare } from '../share.ts'
import { print } from '../terminal.ts'
import { readTime } from '../time-option.ts'

export const AUDIT_CHECK_FORMAT = 'countersign-audit-check/v1'

interface CheckOptions {
  readonly trust?: string
  readonly at?: string
  readonly json?: boolean
}

const EXAMPLES = `
The folder is one of "audits" in an auditor's state folder: commitment.receipt.json, result.receipt.json, checkpoint,
proof.json, and entries.json where the result names a file. Nothing is fetched.

Example:
  countersign audit check countersign-audit/audits/0123456789abcdef --trust trust.yaml

Exit codes: 0 the audit looked at what its seed selects, and adds up; 1 it did not; 2 bad usage, or files that cannot be read;
3 unproven: the trust file does not know the auditor or the log, its witnesses did not confirm it, or the file that the result
names is not there.`

/** What is missing, and shows nothing to be false. */
const MISSING: ReadonlySet<string> = new Set([
  ...['policy/unknown-log', 'policy/quorum-unmet', 'signature/unknown-key', 'opening/missing'],
])
const UNREADABLE = /^(file|json|bytes|shape|usage)\//

export function addAuditCheck(audit: Command): void {
  audit
    .command('check')
    .description('check an audit that somebody else ran, from the files that it kept')
    .argument('<folder>', 'folder of the audit')
    .option('--trust <file>', 'whom you trust: the log, its witnesses, the auditor (YAML); required')
    .option('--at <time>', 'the time to judge by, ISO 8601 (default: now)')
    .option('--json', 'print a report for programs')
    .addHelpText('after', EXAMPLES)
    // The command above has some of these options, and takes them.
    .action((folder: string, _: unknown, command: Command) => {
      process.exitCode = check(folder, command.optsWithGlobals<CheckOptions>())
    })
}

function check(folder: string, { trust: trustFile, at, json }: CheckOptions): ExitCode {
  if (trustFile === undefined) throw new CountersignError('usage/invalid', '--trust is required: whose word is it?')
  const crypto = createNodeCrypto()
  const trust = readFrom(trustFile, (content) => parseTrustFile(crypto, content))
  const files = readAudit(folder)
  try {
    const audit = verifyAuditFiles(crypto, trust, files, readTime(at))
    print(json ? formatJson(reportOf(audit)).trimEnd() : textOf(audit))
    return EXIT.ok
  } catch (thrown) {
    if (!(thrown instanceof CountersignError) || UNREADABLE.test(thrown.code)) throw thrown
    const isMissing = MISSING.has(thrown.code)
    const status = isMissing ? 'unproven' : 'refuted'
    if (json) print(formatJson({ format: AUDIT_CHECK_FORMAT, status, error: errorJson(thrown) }).trimEnd())
    else print(`${status}: ${thrown.code}: ${thrown.message}`)
    return isMissing ? EXIT.unproven : EXIT.refuted
  }
}

/** @throws {CountersignError} `file/unreadable`, `json/*`, `shape/*` */
function readAudit(folder: string): UnverifiedAudit {
  const read = (name: string) => readInput(join(folder, name))
  const receipt = (name: string): UnverifiedReceipt => {
    return parseBundle(new Fields(parseJson(read(name), FILE_LIMITS), name).required('bundle'), `${name}.bundle`)
  }
  return {
    commitment: receipt('commitment.receipt.json'),
    result: receipt('result.receipt.json'),
    checkpoint: parseNote(read('checkpoint')),
    proof: parseAuditProof(read('proof.json')),
    ...(existsSync(join(folder, 'entries.json')) ? { resultsFile: read('entries.json') } : {}),
  }
}

function reportOf({ auditor, result, entries, commitmentIndex, resultIndex }: CheckedAudit) {
  const { log, from, to, counts, bound } = result
  return {
    ...{ format: AUDIT_CHECK_FORMAT, status: 'holds', auditor: auditor.name, log, commitmentIndex, resultIndex },
    ...{ from, to, sampled: entries.length, counts, bound },
  }
}

function textOf({ auditor, result, entries, commitmentIndex, resultIndex }: CheckedAudit): string {
  const { log, from, to, counts, bound } = result
  const outcomes = AUDIT_OUTCOMES.filter((outcome) => counts[outcome] > 0).map((each) => `${each} ${counts[each]}`)
  const confidence = formatShare(bound.confidenceMillionths)
  return [
    `holds: auditor ${auditor.name} looked at every entry of log ${log} that its seed selects of ${from} to ${to}`,
    `  committed to as entry ${commitmentIndex}, before any of them; the result is entry ${resultIndex}`,
    `  ${entries.length} selected: ${outcomes.join(', ') || 'none'}`,
    `  with ${confidence} confidence no more than ${formatShare(bound.fraudMillionths)} of the answers are not as they should be, if it says what it saw`,
    '  does not prove: what it saw, which is its word; that it told nobody its seed; that it kept no other audit back',
  ].join('\n')
}
