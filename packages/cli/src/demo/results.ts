/** What fresh processes make of the files, and whether that is what must come out. */
import { join } from 'node:path'
import { type ClaimName, type ClaimStatus, CountersignError, type IndependenceReport } from '@countersign/verify'
import { bundledModels, formatJson, readInput, writeOutput } from '../files.ts'
import { measureIndependence } from '../independence/measure.ts'
import { type Checked, decisiveCheck, recordOf, verifyInFreshProcess } from './checking.ts'
import { dossierPath, type Kept } from './decisions.ts'
import { borrowCosignatures, type SecondHistory } from './second-history.ts'
import { TAMPERINGS } from './tampering.ts'
import { TRUST_FILE, TRUST_WITHOUT_WITNESSES } from './trust-material.ts'

export const PROOF_FILE = 'proof-of-two-histories.json'

/** What must come out for each claim: some hold, and what nobody checked is honestly unproven. */
export const EXPECTED: { readonly [claim in ClaimName]: 'holds' | 'unproven' } = {
  record: 'holds',
  model: 'holds',
  place: 'unproven',
  output: 'holds',
  independence: 'unproven',
  outcome: 'unproven',
  accountable: 'holds',
}

/** A way to cheat, and what became of the record. */
export interface Outcome {
  readonly what: string
  readonly status: ClaimStatus
  /** The check that decided, where the record does not hold. */
  readonly caughtBy: string | null
  readonly asExpected: boolean
}

export interface Results {
  readonly honest: readonly Checked[]
  readonly tampered: readonly Outcome[]
  readonly secondHistory: readonly Outcome[]
}

/** Writes the files that are cheated with, and checks them and the honest ones, each kind in a process of its own. */
export async function checkAll(kept: readonly Kept[], second: SecondHistory, out: string): Promise<Results> {
  const [earlier] = kept
  const last = kept.at(-1)
  if (earlier === undefined || last === undefined) throw new CountersignError('usage/invalid', 'there is no receipt')
  const write = (name: string, value: unknown) => {
    writeOutput(join(out, name), formatJson(value))
    return join(out, name)
  }
  const dossiers = kept.map(({ receipt }) => dossierPath(out, receipt))
  const tampered = TAMPERINGS.map(({ what, apply }) =>
    write(`tampered/${what}.json`, apply(last.dossier, earlier.dossier)),
  )
  const one = write('second-history/one-cosignature.json', second.withOne)
  const borrowed = write('second-history/borrowed-cosignatures.json', borrowCosignatures(second, last.dossier))
  const proof = join(out, PROOF_FILE)
  if (second.proof !== undefined) writeOutput(proof, second.proof)
  const misbehaviour = second.proof === undefined ? [] : ['--misbehaviour', proof]

  const trust = ['--trust', join(out, TRUST_FILE)]
  const [honest, cheated, without, proven] = await Promise.all([
    verifyInFreshProcess(dossiers, [...trust, '--execute', '--models', bundledModels()]),
    verifyInFreshProcess([...tampered, one, borrowed], trust),
    verifyInFreshProcess([one], ['--trust', join(out, TRUST_WITHOUT_WITNESSES)]),
    verifyInFreshProcess([one], [...trust, ...misbehaviour]),
  ])
  const of = (results: readonly Checked[], file: string) => results.find((each) => each.file === file)
  return {
    honest,
    tampered: TAMPERINGS.map(({ what, caughtBy }, i) => outcome(what, cheated[i], 'refuted', caughtBy)),
    secondHistory: [
      outcome('asking for no witness', without[0], 'holds', null),
      outcome('with one cosignature', of(cheated, one), 'unproven', 'record/quorum'),
      outcome('with cosignatures of the first', of(cheated, borrowed), 'refuted', 'record/quorum'),
      outcome('beside a witness’s proof', proven[0], 'refuted', 'record/misbehaviour'),
    ],
  }
}

function outcome(
  what: string,
  checked: Checked | undefined,
  expected: ClaimStatus,
  expectedBy: string | null,
): Outcome {
  if (checked === undefined) return { what, status: 'unproven', caughtBy: null, asExpected: false }
  const { status } = recordOf(checked)
  const caughtBy = decisiveCheck(checked)?.name ?? null
  return { what, status, caughtBy, asExpected: status === expected && caughtBy === expectedBy }
}

/** The report of `countersign independence` on the honest dossiers. */
export async function reportIndependence(out: string): Promise<IndependenceReport> {
  const trust = readInput(join(out, TRUST_FILE))
  const { report } = await measureIndependence([join(out, 'dossiers')], trust, Date.now())
  writeOutput(join(out, 'independence.json'), formatJson(report))
  return report
}
