/** One way for a dossier to hold or to fail, with what its verdict must say. Expectations are written by hand. */
import type { TrustedRoots } from '../attestation/appraised.ts'
import { parseCollateral } from '../attestation/collateral.ts'
import { parseBase64, toBase64 } from '../bytes/base64.ts'
import { parseUtf8, utf8 } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { type JsonPath, valueAt, withValueAt } from '../bytes/json-edit.testing.ts'
import type { Memory } from '../bytes/memory.ts'
import type { Crypto } from '../crypto/crypto.ts'
import { parseDossier } from '../dossier/dossier.ts'
import type { ExecutionResult } from '../execution/comparison.ts'
import { parseTensor } from '../execution/tensor.ts'
import { jsonBytes, NOW_MS } from '../fixture.testing.ts'
import { parseBundle } from '../log/bundle.ts'
import { verifyMisbehaviour } from '../misbehaviour/misbehaviour.ts'
import { parseMisbehaviour } from '../misbehaviour/proof-file.ts'
import type { ClaimName, Grade } from '../trust/requirement.ts'
import { parseTrustFile, type Trust } from '../trust/trust-file.ts'
import type { ClaimStatus } from './checklist.ts'
import type { VerdictInput } from './evidence.ts'
import { openRevocation } from './revocation.ts'
import { assessVerdict, decideVerdict, type Satisfaction, type Verdict } from './verdict.ts'

/** Status and grade of a row. */
export interface ExpectedRow {
  readonly status: ClaimStatus
  readonly grade: Grade | null
}

export interface Expectation {
  readonly satisfaction: Satisfaction
  readonly claims: { readonly [claim in ClaimName]: ExpectedRow }
  /** Bounds of the time; when missing, there are none. */
  readonly time?: { readonly notBeforeMs: number | null; readonly notAfterMs: number | null }
  /** Names of all checks that did not pass, in order. */
  readonly failing: readonly string[]
  /** The first check that shows something to be false. */
  readonly refutedBy?: string
}

export interface VerdictCase {
  /** Name of the vector's file. */
  readonly name: string
  readonly description: string
  /** Text of the trust file. */
  readonly trust?: string
  readonly dossier: Json
  readonly atMs: number
  /** Results of re-execution; outputs in the JSON form of tensors. */
  readonly executions?: readonly Json[]
  /** Proofs of misbehaviour, as files; when missing, nobody looked for any. */
  readonly misbehaviour?: readonly Json[]
  /** SHA-256 of roots that count in place of the makers' own. */
  readonly roots?: TrustedRoots
  /** A collateral bundle of the time that the verdict is for. */
  readonly collateral?: Json
  /** Receipts of revocations, opened under the trust file before the verdict; when missing, nobody looked for any. */
  readonly revocations?: readonly Json[]
  readonly expect: Expectation
}

const UNPROVEN: ExpectedRow = { status: 'unproven', grade: null }

/** What the plain dossier gives when nothing is executed. */
const PLAIN: Expectation['claims'] = {
  record: { status: 'holds', grade: 'operator-asserted' },
  model: { status: 'holds', grade: 'operator-asserted' },
  place: UNPROVEN,
  output: UNPROVEN,
  independence: UNPROVEN,
  outcome: UNPROVEN,
  accountable: { status: 'holds', grade: 'provider-signed' },
}

type Rows = { readonly [claim in ClaimName]?: 'refuted' | 'unproven' | Grade }

function rowOf(word: 'refuted' | 'unproven' | Grade): ExpectedRow {
  return word === 'refuted' || word === 'unproven' ? { status: word, grade: null } : { status: 'holds', grade: word }
}

/** What witnesses that cosign at the usual time say. */
export const WITNESSED_TIME = { notBeforeMs: null, notAfterMs: NOW_MS + 999 }

/** Expects the rows of the plain dossier, but for `rows`; all else unproven where the record does not hold. */
export function expectRows(rows: Rows, failing: readonly string[], refutedBy?: string): Expectation {
  const recordHolds = rows.record !== 'refuted' && rows.record !== 'unproven'
  const claims = Object.fromEntries(
    Object.entries(PLAIN).map(([claim, row]) => {
      const word = rows[claim as ClaimName]
      return [claim, word !== undefined ? rowOf(word) : recordHolds ? row : UNPROVEN]
    }),
  ) as Expectation['claims']
  const satisfaction = refutedBy !== undefined ? 'refuted' : recordHolds ? 'satisfied' : 'unproven'
  return {
    ...{ satisfaction, claims },
    ...(rows.record === 'witnessed' ? { time: WITNESSED_TIME } : {}),
    failing,
    ...(refutedBy === undefined ? {} : { refutedBy }),
  }
}

/** Checks that do not pass in the plain dossier. */
export const NOT_RUN = 'output/re-execution'
export const NO_OWNERS = 'independence/owners'
export const PLAIN_FAILING: readonly string[] = [NOT_RUN, NO_OWNERS]

/** A case at the usual time. */
export function verdictCase(
  name: string,
  description: string,
  rest: Omit<VerdictCase, 'name' | 'description' | 'atMs'> & { readonly atMs?: number },
): VerdictCase {
  return { name, description, atMs: NOW_MS, misbehaviour: [], ...rest }
}

/** `dossier` with the JSON inside a base64 text changed. */
export function withPayloadValue(dossier: Json, payloadPath: JsonPath, path: JsonPath, value: Json): Json {
  const payload = JSON.parse(parseUtf8(parseBase64(String(valueAt(dossier, payloadPath))))) as Json
  return withValueAt(dossier, payloadPath, toBase64(utf8(JSON.stringify(withValueAt(payload, path, value)))))
}

/** Decides a case: the verdict, and how it meets what the trust file requires. */
export function runVerdictCase(
  each: VerdictCase,
  crypto: Crypto,
  memory?: Memory,
): { readonly verdict: Verdict; readonly satisfaction: Satisfaction } {
  const trust = each.trust === undefined ? undefined : parseTrustFile(crypto, utf8(each.trust))
  const misbehaviour = each.misbehaviour?.flatMap((file) =>
    trust === undefined ? [] : [verifyMisbehaviour(crypto, trust, parseMisbehaviour(jsonBytes(file)))],
  )
  const verdict = decideVerdict(parseDossier(jsonBytes(each.dossier)), {
    crypto,
    atMs: each.atMs,
    executions: (each.executions ?? []).map(readExecution),
    ...(misbehaviour === undefined ? {} : { misbehaviour }),
    ...(trust === undefined ? {} : { trust }),
    ...(memory === undefined ? {} : { memory }),
    ...placeInput(each, crypto, trust),
  })
  return { verdict, satisfaction: assessVerdict(verdict, trust?.requirements ?? []) }
}

function placeInput(
  { roots, collateral, revocations }: VerdictCase,
  crypto: Crypto,
  trust: Trust | undefined,
): Pick<VerdictInput, 'roots' | 'collateral' | 'revocations'> {
  const opened = trust && revocations?.map((bundle) => openRevocation(crypto, trust, parseBundle(bundle, 'bundle')))
  return {
    ...(roots === undefined ? {} : { roots }),
    ...(collateral === undefined ? {} : { collateral: parseCollateral(jsonBytes(collateral)) }),
    ...(opened === undefined ? {} : { revocations: opened }),
  }
}

function readExecution(value: Json): ExecutionResult {
  const result = value as unknown as ExecutionResult
  if (result.outcome !== 'ran') return result
  return {
    ...result,
    outputs: result.outputs.map((output, i) => parseTensor(output as unknown as Json, `outputs[${i}]`)),
  }
}

/** What a verdict says, in the form of an expectation. */
export function observed(verdict: Verdict, satisfaction: Satisfaction): Expectation {
  const checks = verdict.claims.flatMap((row) => row.checks)
  const refutedBy = checks.find((check) => check.result === 'fail')?.name
  const { notBeforeMs, notAfterMs } = verdict.time
  return {
    satisfaction,
    claims: Object.fromEntries(
      verdict.claims.map(({ claim, status, grade }) => [claim, { status, grade }]),
    ) as Expectation['claims'],
    ...(notBeforeMs === null && notAfterMs === null ? {} : { time: { notBeforeMs, notAfterMs } }),
    failing: checks.filter((check) => check.result !== 'pass').map((check) => check.name),
    ...(refutedBy === undefined ? {} : { refutedBy }),
  }
}
