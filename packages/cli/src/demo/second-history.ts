/** What witnesses are for: an operator that tells one history of its log to some, and another to others. */
import { createPrivateKey, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  CountersignError,
  concat,
  cosignatureMessage,
  type Json,
  type NoteSignature,
  parseCheckpoint,
  parseNoteKey,
  type UnverifiedNote,
  uint64BigEndian,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import type { Application } from '../commands/infer.ts'
import { decide, fetchKept, type Kept } from './decisions.ts'
import { checkpointOf, editCheckpoint } from './tampering.ts'
import { askForAnother, findEvidence, type WitnessProcess } from './witness-process.ts'

export interface SecondHistory {
  /** The last answer, as it is told here. */
  readonly told: Kept
  readonly size: number
  /** What each witness answered when it was asked to cosign this history's head, too. */
  readonly answers: readonly { readonly witness: string; readonly status: number }[]
  /** Two heads of one size, as the witnesses kept them. */
  readonly proof: Uint8Array | undefined
  /** The dossier with the one cosignature that the operator could get. */
  readonly withOne: Json
}

/**
 * Goes on from a copy of the operator's data, with its keys: the same applications, but for the last, and so a log of the same
 * length. The last answer, with nothing about it that is forged.
 */
export async function answerAgain(gateway: string, applications: readonly Application[]): Promise<Kept> {
  const [first] = applications
  const last = applications.at(-1)
  if (first === undefined || last === undefined)
    throw new CountersignError('usage/invalid', 'there are no applications')
  for (const application of applications.slice(0, -1)) await decide(gateway, application)
  return await fetchKept(gateway, await decide(gateway, { name: last.name, body: first.body }))
}

/** Shows its head to the witnesses, who have cosigned the first history's. One of them gives in. */
export async function tellWitnesses(told: Kept, witnesses: readonly WitnessProcess[]): Promise<SecondHistory> {
  const head = checkpointOf(told.dossier)
  const answers = await Promise.all(
    witnesses.map(async (witness) => ({ witness: witness.name, status: await askForAnother(witness, head) })),
  )
  const [proof] = witnesses.flatMap((witness) => findEvidence(witness) ?? [])
  const bribed = witnesses.at(-1)
  const withOne = bribed === undefined ? told.dossier : addLines(told.dossier, [cosignAnyway(bribed, head)])
  return { told, size: parseCheckpoint(head.text).size, answers, proof, withOne }
}

/** Takes over the cosignatures of the history that the witnesses know. */
export function borrowCosignatures({ told }: SecondHistory, honest: Json): Json {
  const { text, signatures } = checkpointOf(honest)
  const origin = text.split('\n')[0]
  return addLines(
    told.dossier,
    signatures.filter(({ name }) => name !== origin),
  )
}

function addLines(dossier: Json, lines: readonly NoteSignature[]): Json {
  return editCheckpoint(dossier, ({ text, signatures }) => ({ text, signatures: [...signatures, ...lines] }))
}

/** A witness whose owner does what the operator asks: its key, used past its memory. */
function cosignAnyway({ name, key, dataFolder }: WitnessProcess, { text }: UnverifiedNote): NoteSignature {
  const secret = createPrivateKey(readFileSync(join(dataFolder, 'witness.pem'), 'utf8'))
  const seconds = Math.floor(Date.now() / 1000)
  const signature = sign(null, cosignatureMessage(seconds, text), secret)
  const { id } = parseNoteKey(createNodeCrypto(), key)
  return { name, id, signature: concat(uint64BigEndian(BigInt(seconds)), signature) }
}
