/** Applications in, decisions and dossiers out. */
import { join } from 'node:path'
import { type Json, parsePromise, parsePromiseHeader } from '@countersign/verify'
import { type Application, readDecision } from '../commands/infer.ts'
import { formatJson, writeOutput } from '../files.ts'
import { type ClientAnswer, fetchDossier, postInference } from '../gateway-client.ts'
import { paint, print } from '../terminal.ts'

/** Witnesses see a head once a second; on a machine that is busy they may take their time. */
const PREFER_WITNESSED = 'wait=25, witnessed'

export interface Decided {
  readonly name: string
  readonly isApproved: boolean
  readonly answer: ClientAnswer
}

export interface Kept extends Pick<Decided, 'name' | 'isApproved'> {
  readonly receipt: string
  readonly dossier: Json
}

export async function decide(gateway: string, { name, body }: Application): Promise<Decided> {
  const answer = await postInference(gateway, 'credit', body)
  return { name, isApproved: readDecision(answer.body).approve === 1, answer }
}

export function printDecision({ name, isApproved, answer }: Decided): void {
  const verb = isApproved ? paint('green', 'approved') : paint('yellow', 'declined')
  const probability = Number(readDecision(answer.body).probability_of_default)
  const risk = `default risk ${(probability * 100).toFixed(1).padStart(5)} %`
  const { index } = parsePromise(parsePromiseHeader(answer.promise).text)
  const promised = `promised: entry ${String(index).padStart(2)} of the log, receipt ${answer.receipt}`
  print(`${name.padEnd(16)} ${verb}  ${risk}   ${promised}`)
}

/** The dossier under a head that its witnesses confirmed, where the gateway has any. */
export async function fetchKept(gateway: string, { name, isApproved, answer }: Decided): Promise<Kept> {
  const { receipt, secret } = answer
  const { dossier } = await fetchDossier(gateway, receipt, secret, PREFER_WITNESSED)
  return { name, isApproved, receipt, dossier }
}

/** Writes the dossier, and its receipt as stock tools read it. */
export function writeKept({ receipt, dossier }: Kept, out: string): void {
  writeOutput(dossierPath(out, receipt), formatJson(dossier))
  const { bundle } = dossier as { readonly bundle: Json }
  writeOutput(join(out, 'sigstore', `${receipt}.sigstore.json`), formatJson(bundle))
}

export function dossierPath(out: string, receipt: string): string {
  return join(out, 'dossiers', `${receipt}.json`)
}
