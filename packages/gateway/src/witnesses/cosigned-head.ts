/** Heads with the cosignatures that they have so far. */
import {
  type Confirmation,
  type Crypto,
  equalBytes,
  formatNote,
  meetsQuorum,
  type NoteKey,
  type NoteSignature,
  openCosignature,
  parseNote,
  type TlogPolicy,
  utf8,
} from '@countersign/verify'
import type { SignedHead } from '../log/sequencer.ts'

/** A witness of the policy, by its name there, with its line. */
export interface HeadCosignature extends Confirmation {
  readonly signature: NoteSignature
}

export interface CosignedHead {
  /** With the log's own signature alone. */
  readonly head: SignedHead
  /** In the order in which they came, one for each witness. */
  readonly cosignatures: readonly HeadCosignature[]
}

/** The head with all its lines, as it is published and stands in receipts. */
export function withCosignatures({ head, cosignatures }: CosignedHead): SignedHead {
  const { text, signatures } = parseNote(utf8(head.note))
  return { ...head, note: formatNote({ text, signatures: [...signatures, ...cosignatures.map(lineOf)] }) }
}

/**
 * A head that was kept with its lines, taken apart. Lines that are not by a witness of the policy are left out, and so
 * are those that do not check.
 */
export function openCosignedHead(crypto: Crypto, policy: TlogPolicy, kept: SignedHead): CosignedHead {
  const { text, signatures } = parseNote(utf8(kept.note))
  const own = signatures.filter((line) => !policy.witnesses.some(({ key }) => isBy(line, key)))
  const cosignatures = policy.witnesses.flatMap(({ name, key }) => {
    for (const signature of signatures) {
      try {
        const cosignature = openCosignature(crypto, { text, signatures: [signature] }, key)
        if (cosignature !== undefined) return [{ witness: name, cosignature, signature }]
      } catch {
        // A line that does not check counts for nothing.
      }
    }
    return []
  })
  return { head: { ...kept, note: formatNote({ text, signatures: own }) }, cosignatures }
}

/** Whether a head's cosignatures meet a quorum of the policy, named by a witness or group. */
export function meets(policy: TlogPolicy, quorum: string, { cosignatures }: CosignedHead): boolean {
  return meetsQuorum({ ...policy, quorum }, cosignatures)
}

function isBy({ name, id }: NoteSignature, key: NoteKey): boolean {
  return name === key.name && equalBytes(id, key.id)
}

function lineOf({ signature }: HeadCosignature): NoteSignature {
  return signature
}
