/** `countersign demo`: the main job from end to end, ways to cheat that are caught, and how far the witnesses are independent. */
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { CLAIMS, CountersignError, findRow, type IndependenceReport } from '@countersign/verify'
import type { Command } from 'commander'
import { type Decided, decide, fetchKept, type Kept, printDecision, writeKept } from '../demo/decisions.ts'
import { startGateway } from '../demo/gateway-process.ts'
import {
  printEnd,
  printHonest,
  printIndependence,
  printRunning,
  printSecondHistory,
  printStarting,
  printStopped,
  printTampered,
} from '../demo/presentation.ts'
import { Processes } from '../demo/processes.ts'
import { checkAll, EXPECTED, type Outcome, type Results, reportIndependence } from '../demo/results.ts'
import { answerAgain, tellWitnesses } from '../demo/second-history.ts'
import { writeTrustMaterial } from '../demo/trust-material.ts'
import { formatPolicy, startWitnesses } from '../demo/witness-process.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { bundledExamples, bundledModels, formatJson, requireFolderPath, writeOutput } from '../files.ts'
import { print } from '../terminal.ts'
import { readGatewayKeys } from '../trust-file-text.ts'
import { type Application, readApplicationLines } from './infer.ts'

const SUMMARY = 'summary.json'
const SUMMARY_FORMAT = 'countersign-demo/v1'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export function addDemo(program: Command): void {
  program
    .command('demo')
    .description(
      'decide on example applications, check every receipt offline, and catch whoever tampers or keeps two logs',
    )
    .option('--out <folder>', 'where the receipts, keys and results go', 'demo-out')
    .addHelpText(
      'after',
      '\nExamples:\n  countersign demo --out demo-out\n\nExit codes: 0 all came out as it should; 1 something did not.',
    )
    .action(async ({ out }: { out: string }) => {
      process.exitCode = await demo(out)
    })
}

async function demo(out: string): Promise<ExitCode> {
  const startedMs = performance.now()
  emptyFolder(out)
  printStarting()
  const { kept, second } = await inTemporaryFolder((folder, processes) => runAll(folder, processes, out))
  const [first] = kept
  const last = kept.at(-1)
  if (first === undefined || last === undefined) throw new CountersignError('usage/invalid', 'there is no receipt')
  printStopped()
  const results = await checkAll(kept, second, out)
  const independence = await reportIndependence(out)
  printHonest(results.honest)
  printTampered(results.tampered, last)
  printSecondHistory(results.secondHistory, last, second, out)
  printIndependence(independence, out, first)
  const seconds = (performance.now() - startedMs) / 1000
  const isGood = writeSummary(out, results, independence, seconds)
  printEnd(isGood, seconds, out, first)
  return isGood ? EXIT.ok : EXIT.refuted
}

/** Empties a folder of an earlier demonstration, and no other. @throws {CountersignError} `usage/invalid` */
function emptyFolder(out: string): void {
  requireFolderPath('--out', out)
  const isOurs = existsSync(join(out, SUMMARY))
  if (existsSync(out) && !isOurs && readdirSync(out).length > 0) {
    throw new CountersignError(
      'usage/invalid',
      `${out} is not empty, and not of an earlier demonstration; name another with --out`,
    )
  }
  if (isOurs) rmSync(out, { recursive: true })
  writeOutput(join(out, SUMMARY), formatJson({ format: SUMMARY_FORMAT, ok: false }))
}

/** Neither processes nor folder outlive this, nor the process when it is interrupted or nobody reads its output any more. */
async function inTemporaryFolder<T>(run: (folder: string, processes: Processes) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-demo-'))
  const processes = new Processes()
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  const leave = () => {
    processes.kill()
    remove()
  }
  const handlers = SIGNALS.map((signal) => [signal, () => process.exit(128 + constants.signals[signal])] as const)
  process.once('exit', leave)
  for (const [signal, exit] of handlers) process.once(signal, exit)
  try {
    return await run(folder, processes)
  } finally {
    await processes.stopAll()
    for (const [signal, exit] of handlers) process.off(signal, exit)
    process.off('exit', leave)
    remove()
  }
}

/** Runs gateways and witnesses; the receipts that come out, and another history of the same log beside them. */
async function runAll(folder: string, processes: Processes, out: string) {
  const data = join(folder, 'operator')
  const copy = join(folder, 'operator-copy')
  // The witnesses need the log's key before the gateway can name them: it is made at a first start.
  await (await startGateway(data, { processes })).stop()
  cpSync(data, copy, { recursive: true })
  const witnesses = await startWitnesses(processes, folder, readGatewayKeys(data).log)
  const policyFile = join(folder, 'witnesses.policy')
  writeOutput(policyFile, formatPolicy(witnesses))
  const [gateway, other] = await Promise.all([
    startGateway(data, { processes, policyFile }),
    startGateway(copy, { processes }),
  ])
  printRunning(gateway.url, witnesses)
  const applications = readApplicationLines(
    join(bundledExamples(), 'applications.jsonl'),
    join(bundledModels(), 'credit'),
  )
  const [kept, told] = await Promise.all([
    decideAll(gateway.url, applications, out),
    answerAgain(other.url, applications),
  ])
  writeTrustMaterial(data, witnesses, out)
  return { kept, second: await tellWitnesses(told, witnesses) }
}

/** Sends the applications, keeps the dossiers. */
async function decideAll(gateway: string, applications: readonly Application[], out: string): Promise<readonly Kept[]> {
  const [first, ...rest] = applications
  if (first === undefined) throw new CountersignError('usage/invalid', 'there are no applications')
  const decideAndPrint = async (application: Application) => {
    const decided = await decide(gateway, application)
    printDecision(decided)
    return decided
  }
  // The first receipt is taken under an early head, so that there is one to cut the log back to.
  const kept = [await fetchKept(gateway, await decideAndPrint(first))]
  const decided: Decided[] = []
  for (const application of rest) decided.push(await decideAndPrint(application))
  for (const each of decided) kept.push(await fetchKept(gateway, each))
  for (const each of kept) writeKept(each, out)
  print(`\n${kept.length} receipts fetched: heads that two witnesses cosigned cover every entry that was promised.`)
  return kept
}

/** Writes `summary.json`; whether all came out as it should. */
function writeSummary(
  out: string,
  { honest, tampered, secondHistory }: Results,
  independence: IndependenceReport,
  seconds: number,
): boolean {
  const claims = Object.fromEntries(
    CLAIMS.map((claim) => {
      const rows = honest.map(({ verdict }) => findRow(verdict, claim))
      const asExpected = rows.filter(({ status }) => status === EXPECTED[claim]).length
      return [claim, { expected: EXPECTED[claim], grade: rows[0]?.grade ?? null, asExpected, of: honest.length }]
    }),
  )
  const isGood =
    honest.length >= 20 &&
    honest.every(({ satisfaction }) => satisfaction === 'satisfied') &&
    Object.values(claims).every(({ asExpected, of }) => asExpected === of) &&
    [...tampered, ...secondHistory].every(({ asExpected }) => asExpected) &&
    independence.status === 'unproven' &&
    independence.counted.records === honest.length
  const summary = {
    format: SUMMARY_FORMAT,
    ok: isGood,
    decisions: honest.length,
    claims,
    tampered: count(tampered),
    secondHistory: count(secondHistory),
    independence: { status: independence.status, reasons: independence.reasons },
    seconds: Number(seconds.toFixed(2)),
  }
  writeOutput(join(out, SUMMARY), formatJson(summary))
  return isGood
}

function count(each: readonly Outcome[]) {
  return { caught: each.filter(({ asExpected }) => asExpected).length, of: each.length, each }
}
