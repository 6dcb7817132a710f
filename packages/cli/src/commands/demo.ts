/** `countersign demo`: the main job from end to end, and seven ways to cheat that are caught. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  CLAIMS,
  type ClaimName,
  CountersignError,
  findRow,
  type Json,
  parsePromise,
  parsePromiseHeader,
} from '@countersign/verify'
import type { Command } from 'commander'
import { type Checked, firstFailure, verifyInFreshProcess } from '../demo/checking.ts'
import { startGateway } from '../demo/gateway-process.ts'
import { TAMPERINGS } from '../demo/tampering.ts'
import { writeTrustMaterial } from '../demo/trust-material.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { bundledExamples, bundledModels, formatJson, writeOutput } from '../files.ts'
import { type ClientAnswer, fetchDossier, postInference } from '../gateway-client.ts'
import { paint, paintStatus, print } from '../terminal.ts'
import { type Application, readApplicationLines, readDecision } from './infer.ts'

/** What must come out for each claim: some hold, and what nobody checked is honestly unproven. */
const EXPECTED: { readonly [claim in ClaimName]: 'holds' | 'unproven' } = {
  record: 'holds',
  model: 'holds',
  place: 'unproven',
  output: 'holds',
  independence: 'unproven',
  outcome: 'unproven',
  accountable: 'holds',
}

const SUMMARY = 'summary.json'
const SUMMARY_FORMAT = 'countersign-demo/v1'

interface Decided {
  readonly name: string
  readonly answer: ClientAnswer
}

interface Kept {
  readonly name: string
  readonly receipt: string
  readonly dossier: Json
}

interface Caught {
  readonly what: string
  readonly caughtBy: string | null
  readonly asExpected: boolean
}

export function addDemo(program: Command): void {
  program
    .command('demo')
    .description('decide on example applications, check every receipt offline, and catch seven kinds of tampering')
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
  const data = mkdtempSync(join(tmpdir(), 'countersign-demo-'))
  let kept: readonly Kept[]
  try {
    kept = await decideAll(data, out)
  } finally {
    rmSync(data, { recursive: true, force: true })
  }
  print('\nThe gateway is stopped and its data deleted. A fresh process now checks the files alone.\n')
  const checked = await checkDossiers(kept, out)
  const caught = await checkTampered(kept, out)
  const seconds = (performance.now() - startedMs) / 1000
  const isGood = writeSummary(out, checked, caught, seconds)
  print(
    `\n${isGood ? paint('green', 'All as it should be') : paint('red', 'Something is not as it should be')}, in ${seconds.toFixed(1)} s.`,
  )
  print(
    `Look at it yourself:  npx countersign verify ${join(out, 'dossiers', `${kept[0]?.receipt}.json`)} --trust ${join(out, 'trust.yaml')} --execute`,
  )
  return isGood ? EXIT.ok : EXIT.refuted
}

/** Empties a folder of an earlier demonstration, and no other. @throws {CountersignError} `usage/invalid` */
function emptyFolder(out: string): void {
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

/** Runs a gateway, sends the applications, keeps the dossiers. */
async function decideAll(data: string, out: string): Promise<readonly Kept[]> {
  const gateway = await startGateway(data)
  try {
    print(`A gateway serves the credit model at ${gateway.url}. Its parties are made up, and it has no witness.\n`)
    const applications = readApplicationLines(
      join(bundledExamples(), 'applications.jsonl'),
      join(bundledModels(), 'credit'),
    )
    const [first, ...rest] = applications
    if (first === undefined) throw new CountersignError('usage/invalid', 'there are no applications')
    // The first receipt is taken under an early head, so that there is one to cut the log back to.
    const kept = [await keep(gateway.url, await decide(gateway.url, first), out)]
    const decided: Decided[] = []
    for (const application of rest) decided.push(await decide(gateway.url, application))
    for (const each of decided) kept.push(await keep(gateway.url, each, out))
    print(`\n${kept.length} receipts fetched: signed heads of the log cover every entry that was promised.`)
    writeTrustMaterial(data, out)
    return kept
  } finally {
    await gateway.stop()
  }
}

async function decide(gateway: string, { name, body }: Application): Promise<Decided> {
  const answer = await postInference(gateway, 'credit', body)
  const decision = readDecision(answer.body)
  const verb = decision.approve === 1 ? paint('green', 'approved') : paint('yellow', 'declined')
  const risk = `default risk ${(Number(decision.probability_of_default) * 100).toFixed(1).padStart(5)} %`
  const { index } = parsePromise(parsePromiseHeader(answer.promise).text)
  print(
    `${name.padEnd(16)} ${verb}  ${risk}   promised: entry ${String(index).padStart(2)} of the log, receipt ${answer.receipt}`,
  )
  return { name, answer }
}

async function keep(gateway: string, { name, answer }: Decided, out: string): Promise<Kept> {
  const dossier = await fetchDossier(gateway, answer.receipt, answer.secret)
  writeOutput(join(out, 'dossiers', `${answer.receipt}.json`), formatJson(dossier))
  const { bundle } = dossier as { readonly bundle: Json }
  writeOutput(join(out, 'sigstore', `${answer.receipt}.sigstore.json`), formatJson(bundle))
  return { name, receipt: answer.receipt, dossier }
}

async function checkDossiers(kept: readonly Kept[], out: string): Promise<readonly Checked[]> {
  const files = kept.map(({ receipt }) => join(out, 'dossiers', `${receipt}.json`))
  const checked = await verifyInFreshProcess(files, [
    '--trust',
    join(out, 'trust.yaml'),
    '--execute',
    '--models',
    bundledModels(),
  ])
  print(`${checked.length} receipts verified offline, each output run again in the reference engine:\n`)
  for (const claim of CLAIMS) {
    const rows = checked.map(({ verdict }) => findRow(verdict, claim))
    const [first] = rows
    const same = rows.filter((row) => row.status === first?.status).length
    if (first === undefined) continue
    print(
      `  ${claim.padEnd(13)} ${paintStatus(first.status, 9)} ${String(same).padStart(2)} of ${rows.length}  ${first.grade ?? first.reason}`,
    )
  }
  return checked
}

async function checkTampered(kept: readonly Kept[], out: string): Promise<readonly Caught[]> {
  const [earlier] = kept
  const last = kept.at(-1)
  if (earlier === undefined || last === undefined) return []
  print(`\nSeven ways to tamper with the receipt of ${last.name}:\n`)
  const files = TAMPERINGS.map(({ what, apply }) => {
    const file = join(out, 'tampered', `${what}.json`)
    writeOutput(file, formatJson(apply(last.dossier, earlier.dossier)))
    return file
  })
  const checked = await verifyInFreshProcess(files, ['--trust', join(out, 'trust.yaml')])
  return TAMPERINGS.map(({ what, caughtBy }, i) => {
    const result = checked[i]
    const found = result && firstFailure(result)
    const asExpected = result?.satisfaction === 'refuted' && found === caughtBy
    print(
      `  ${what.padEnd(26)} ${result?.satisfaction === 'refuted' ? paint('red', 'refuted') : 'NOT REFUTED'}  by ${found ?? 'nothing'}`,
    )
    return { what, caughtBy: found ?? null, asExpected }
  })
}

/** Writes `summary.json`; whether all came out as it should. */
function writeSummary(out: string, checked: readonly Checked[], caught: readonly Caught[], seconds: number): boolean {
  const claims = Object.fromEntries(
    CLAIMS.map((claim) => {
      const asExpected = checked.filter(({ verdict }) => findRow(verdict, claim).status === EXPECTED[claim]).length
      return [claim, { expected: EXPECTED[claim], asExpected, of: checked.length }]
    }),
  )
  const isGood =
    checked.length >= 20 &&
    checked.every(({ satisfaction }) => satisfaction === 'satisfied') &&
    Object.values(claims).every(({ asExpected, of }) => asExpected === of) &&
    caught.length === TAMPERINGS.length &&
    caught.every((each) => each.asExpected)
  const summary = {
    format: SUMMARY_FORMAT,
    ok: isGood,
    decisions: checked.length,
    claims,
    tampered: { caught: caught.filter((each) => each.asExpected).length, of: caught.length, each: caught },
    seconds: Number(seconds.toFixed(2)),
  }
  writeOutput(join(out, SUMMARY), formatJson(summary))
  return isGood
}
