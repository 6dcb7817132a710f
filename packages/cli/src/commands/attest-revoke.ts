/** `countersign attest revoke`: a party's word that something evidence rests on is no longer to be trusted. */
import { setTimeout as delay } from 'node:timers/promises'
import { loadStatementKey } from '@countersign/gateway'
import {
  CountersignError,
  Fields,
  formatEnvelope,
  formatStatement,
  type Json,
  parseRevocation,
  preAuthEncoding,
  type RevocationPredicate,
  revocationStatement,
  type Statement,
  statementDigest,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import type { Command } from 'commander'
import { readRevokedThing, type TcbOptions } from '../attest/revoked-thing.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { formatJson, writeOutput } from '../files.ts'
import { DEFAULT_GATEWAY, getJson, postJson } from '../gateway-client.ts'
import { print } from '../terminal.ts'
import { parseTime } from '../time-option.ts'

export const REVOCATION_REPORT_FORMAT = 'countersign-revocation-report/v1'

interface RevokeOptions extends TcbOptions {
  readonly key: string
  readonly since: string
  readonly reason: string
  readonly source: string
  readonly gateway: string
  readonly out?: string
  readonly receipt?: string
  readonly yes?: boolean
  readonly json?: boolean
}

/** How long a receipt is waited for, and how often it is asked for. */
const RECEIPT_WAIT_MS = 30_000
const ASK_EVERY_MS = 500

const EXAMPLES = `
What can be revoked:
  device ID...                        chips and GPUs, by the ids that "attest explain --json" names
  certificate FILE                    one certificate (PEM or DER)
  measurement TEE REGISTER VALUE      a build, by what is measured of it
  key USE VALUE                       a key that leaked; VALUE may be a file with the certificate or public key
  tcb TEE --state … --advisory …      a state of the hardware, in its maker’s words

It counts for whoever trusts your key in a role whose revocations count (see spec/revocation.md). Gateways take it of keys that they list
as auditors. Answers that witnesses saw before --since keep their grade; "unknown" leaves none of them. A log forgets nothing:
without --yes, it is shown, and nothing is signed.

Examples:
  countersign attest revoke device 4f1c… --since 2026-10-01T00:00:00Z --reason "opened by hand" --source https://example.org/a \\
    --key auditor.pem --gateway https://gateway.example --yes --receipt opened.json
  countersign attest revoke key tls-key leaked.pub.pem --since unknown --reason "found in a backup" --source … --key auditor.pem --yes
  countersign attest revoke tcb tdx --advisory INTEL-SA-01234 --since … --reason … --source … --key auditor.pem --yes --out statement.json

With --out nothing is sent; send the file later: curl --data @statement.json https://gateway.example/statements

Exit codes: 0 logged, written or shown; 2 bad usage, a gateway that does not take it, or none there; 3 logged, and no receipt was had in time.`

export function addAttestRevoke(attest: Command): void {
  attest
    .command('revoke')
    .description('sign that a device, certificate, measurement, key or state is not to be trusted, and log it')
    .argument('<kind>', 'device, certificate, measurement, key or tcb')
    .argument('[what...]', 'what of that kind')
    .requiredOption('--key <file>', 'your P-256 private key (PEM); it never leaves this machine')
    .requiredOption('--since <time>', 'from when on it is not to be trusted, ISO 8601; "unknown" when nobody knows')
    .requiredOption('--reason <text>', 'why, for people')
    .requiredOption('--source <text>', 'where it was made public, for people')
    .option('--state <state...>', 'for tcb: states of the platform, such as OutOfDate')
    .option('--advisory <id...>', 'for tcb: advisories, such as INTEL-SA-01234')
    .option('--fmspc <hex>', 'for tcb: one kind of platform alone, 6 bytes')
    .option('--gateway <url>', 'whose log it goes into', DEFAULT_GATEWAY)
    .option('--out <file>', 'write the signed statement there; nothing is sent')
    .option('--receipt <file>', 'wait for the receipt, and write it there: what "attest reappraise --revocation" takes')
    .option('--yes', 'sign: you have read it')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (kind: string, what: readonly string[], options: RevokeOptions) => {
      process.exitCode = await revoke(kind, what, options)
    })
}

async function revoke(kind: string, words: readonly string[], options: RevokeOptions): Promise<ExitCode> {
  const { since, reason, source, state, advisory, fmspc } = options
  if (options.out !== undefined && options.receipt !== undefined) {
    throw new CountersignError('usage/invalid', '--out sends nothing, so --receipt has nothing to wait for')
  }
  const what = readRevokedThing(kind, words, { state, advisory, fmspc })
  const predicate = { what, since: since === 'unknown' ? null : parseTime('--since', since), reason, source }
  const statement = checked(predicate)
  const key = loadStatementKey(options.key, false)
  if (!options.yes) {
    const { since: sinceMs } = predicate
    const sinceText = sinceMs === null ? 'unknown' : new Date(sinceMs).toISOString()
    report(options, { signed: false, keyId: key.keyId, since: sinceText, predicate: statement.predicate }, [
      formatJson(statement.predicate).trimEnd(),
      `Not to be trusted since: ${sinceText}.`,
      `Key ${key.keyId}. Nothing was signed: pass --yes to say so.`,
    ])
    return EXIT.ok
  }
  const payload = formatStatement(statement)
  const envelope = formatEnvelope({ payload, signature: key.sign(preAuthEncoding(payload)), keyId: key.keyId })
  const digest = statementDigest(createNodeCrypto(), payload)
  const done = { signed: true, keyId: key.keyId, statement: digest }
  if (options.out !== undefined) {
    writeOutput(options.out, formatJson(envelope))
    report(options, { ...done, out: options.out }, [`signed, and not sent: ${options.out}`])
    return EXIT.ok
  }
  const index = await log(options.gateway, envelope, digest)
  const receipt = options.receipt === undefined ? undefined : await receiptOf(options.gateway, digest)
  if (options.receipt !== undefined && receipt !== undefined) writeOutput(options.receipt, formatJson(receipt))
  const written = receipt === undefined ? null : (options.receipt ?? null)
  report(options, { ...done, index, receipt: written }, [
    `logged as entry ${index}: ${digest}`,
    ...(written === null ? [] : [`receipt: ${written}`]),
    ...(options.receipt !== undefined && written === null ? ['no receipt yet: run it again, it is logged once'] : []),
  ])
  return options.receipt !== undefined && written === null ? EXIT.unproven : EXIT.ok
}

/** The statement, if whoever reads it will take it. @throws {CountersignError} `shape/*` */
function checked(predicate: RevocationPredicate): Statement {
  const statement = revocationStatement(createNodeCrypto(), predicate)
  parseRevocation(statement)
  return statement
}

/** Where the gateway logged it. @throws {CountersignError} `gateway/*`, `statement/mismatch` for another statement than the one sent */
async function log(gateway: string, envelope: Json, digest: string): Promise<number> {
  const answer = new Fields(await postJson(`${gateway}/statements`, envelope), 'answer')
  if (answer.hex('statement', 32) === digest) return answer.integer('index')
  throw new CountersignError(
    'statement/mismatch',
    'the gateway says that it logged another statement than the one sent',
  )
}

/** `undefined` when no head covers it in time. */
async function receiptOf(gateway: string, digest: string): Promise<Json | undefined> {
  const untilMs = Date.now() + RECEIPT_WAIT_MS
  while (Date.now() < untilMs) {
    const { bundle } = (await getJson(`${gateway}/statements/${digest}`)) as { readonly bundle?: Json }
    if (bundle !== undefined) return bundle
    await delay(ASK_EVERY_MS)
  }
  return undefined
}

function report({ json }: RevokeOptions, value: { readonly [name: string]: Json }, lines: readonly string[]): void {
  if (json) print(formatJson({ format: REVOCATION_REPORT_FORMAT, ...value }).trimEnd())
  else for (const line of lines) print(line)
}
