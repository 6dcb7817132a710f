/** The demonstration as it is told to somebody who sees it for the first time. */
import { join } from 'node:path'
import { CLAIMS, findRow, type IndependenceReport } from '@countersign/verify'
import { formatIndependence } from '../independence/report-text.ts'
import { paint, paintStatus, print, wrap } from '../terminal.ts'
import type { Checked } from './checking.ts'
import { dossierPath, type Kept } from './decisions.ts'
import { type Outcome, PROOF_FILE } from './results.ts'
import type { SecondHistory } from './second-history.ts'
import { TRUST_FILE, TRUST_WITHOUT_WITNESSES } from './trust-material.ts'
import type { WitnessProcess } from './witness-process.ts'

/** Of what stands before a status. */
const WIDTH = 31

export function printStarting(): void {
  print('Starting three witnesses and a gateway …\n')
}

export function printRunning(gateway: string, witnesses: readonly WitnessProcess[]): void {
  say(
    `A gateway serves the credit model at ${gateway}. Three witnesses cosign each head of its log that continues the one before. A receipt needs two of them. All parties are made up, and all of them run on this machine.`,
  )
  print()
  const [one, two, three] = witnesses.map(({ name, url }) => `${name} at ${url}`)
  print(`  applications ──► gateway ──► log ──► heads ──┬── ${one}`)
  print(`      receipts ◄──────────────── cosignatures ◄┼── ${two}`)
  print(`                                               └── ${three}`)
  print()
}

export function printStopped(): void {
  print('\nGateway and witnesses are stopped and their data deleted. Fresh processes now check the files alone.')
}

export function printHonest(checked: readonly Checked[]): void {
  print(`\n${checked.length} receipts verified offline, each output run again in the reference engine:\n`)
  for (const claim of CLAIMS) {
    const rows = checked.map(({ verdict }) => findRow(verdict, claim))
    const [first] = rows
    if (first === undefined) continue
    const same = rows.filter((row) => row.status === first.status).length
    const count = `${String(same).padStart(2)} of ${rows.length}`
    print(`  ${claim.padEnd(13)} ${paintStatus(first.status, 9)} ${count}  ${first.grade ?? first.reason}`)
  }
}

export function printTampered(outcomes: readonly Outcome[], { name }: Kept): void {
  print(`\nSeven ways to tamper with the receipt of ${name}:\n`)
  printOutcomes(outcomes)
}

export function printSecondHistory(
  outcomes: readonly Outcome[],
  honest: Kept,
  second: SecondHistory,
  out: string,
): void {
  const { told, size, answers } = second
  const refused = answers.filter(({ status }) => status === 409).length
  const decision = (kept: Kept) => `${kept.name} ${kept.isApproved ? 'approved' : 'declined'}, ${size} entries`
  print('\nA second history of the same log:\n')
  print(`  ──┬── … ── ${decision(honest)}:  cosigned by the witnesses`)
  print(`    └── … ── ${decision(told)}:  refused by ${refused} of ${answers.length} witnesses`)
  print()
  say(
    'The operator went on from a copy of its data, gave all answers again but for the last, and signed with the same keys: nothing in it is forged. Then one of the witnesses gave in, and lent the operator its key. For whoever is shown the second history, its record is',
  )
  print()
  printOutcomes(outcomes)
  print()
  say(
    `The proof is the two heads of one size that the operator signed, as a witness kept them: ${join(out, PROOF_FILE)}`,
  )
}

function printOutcomes(outcomes: readonly Outcome[]): void {
  for (const { what, status, caughtBy, asExpected } of outcomes) {
    const why = caughtBy === null ? 'no check fails' : `by ${caughtBy}`
    const alarm = asExpected ? '' : paint('red', '  which is not as it should be')
    print(`  ${what.padEnd(WIDTH)} ${paintStatus(status, 9)} ${why}${alarm}`)
  }
}

export function printIndependence(report: IndependenceReport, out: string, { receipt }: Kept): void {
  const trust = join(out, TRUST_FILE)
  print('\nHow independent are those who stand behind this?\n')
  print(formatIndependence(report))
  print(`\n${paint('bold', 'In plain words')}`)
  say(
    `Unproven, and rightly so: all of it ran on this one machine, started by one program, and nobody outside vouches for the owners of the witnesses. ${trust} therefore gives everything to one owner, and witnesses of the operator's own owner count for nothing.`,
  )
  say(
    'What would change it: witnesses that others run, whom you know to be apart from the operator and from each other, and have named in your own trust file; better still on other machines and clouds, and under other laws. What parties say of themselves does not.',
  )
  say(`Try it: give the three witnesses in ${trust} owners of their own, as if you knew them. Then this ends with 0:`)
  print(`  npx countersign verify ${dossierPath(out, receipt)} --trust ${trust} --execute --require independence`)
}

export function printEnd(isGood: boolean, seconds: number, out: string, { receipt }: Kept): void {
  const verdict = isGood ? paint('green', 'All as it should be') : paint('red', 'Something is not as it should be')
  print(`\n${verdict}, in ${seconds.toFixed(1)} s. Look at it yourself:`)
  const trust = `--trust ${join(out, TRUST_FILE)}`
  const second = join(out, 'second-history', 'one-cosignature.json')
  print(`  npx countersign verify ${dossierPath(out, receipt)} ${trust} --execute`)
  print(`  npx countersign verify ${second} ${trust}`)
  print(`  npx countersign verify ${second} --trust ${join(out, TRUST_WITHOUT_WITNESSES)} --execute`)
  print(`  npx countersign verify ${second} ${trust} --misbehaviour ${join(out, PROOF_FILE)}`)
  print(`  npx countersign independence ${join(out, 'dossiers')} ${trust}`)
}

function say(text: string): void {
  print(wrap(text, '', 110))
}
