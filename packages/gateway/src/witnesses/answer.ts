/** What a witness answered: bytes in, facts out. @spec C2SP tlog-witness v1.0.0 */
import {
  CountersignError,
  type Crypto,
  type NoteKey,
  type NoteSignature,
  openCosignature,
  parseCosignatureLines,
  parseUtf8,
  type UnverifiedNote,
} from '@countersign/verify'

/** Most bytes of an answer that are read: some lines of signatures. */
export const MAX_ANSWER_BYTES = 16 * 1024

/** How far a cosignature's time may lie in the future. */
export const MAX_FUTURE_SECONDS = 300

/** An answer as it came, or why there is none. */
export type Reply =
  | {
      readonly status: number
      readonly retryAfter: string | undefined
      readonly body: Uint8Array
    }
  | { readonly failure: string }

/** What an answer says. */
export type WitnessAnswer =
  /** The one line that counts, checked with the witness's key. */
  | { readonly kind: 'cosigned'; readonly signature: NoteSignature; readonly timeSeconds: number }
  /** It has cosigned another size than it was told, or another root; `undefined` where it does not say which size. */
  | { readonly kind: 'conflict'; readonly size: number | undefined }
  /** The proof does not lead from what it has cosigned to what it is shown. */
  | { readonly kind: 'unprovable' }
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'unavailable'; readonly why: string; readonly retryAfterMs: number }
  /** It says yes, and gives nothing that counts. */
  | { readonly kind: 'unusable'; readonly why: string }

/** What an answer is read with. */
export interface Asked {
  readonly witness: NoteKey
  /** What it was asked to cosign. */
  readonly checkpoint: UnverifiedNote
  /** Of its last cosignature; 0 when none is known. */
  readonly lastTimeSeconds: number
  readonly nowSeconds: number
}

/** Reads an answer. Never throws: whatever a witness sends is one of the kinds. */
export function readAnswer(crypto: Crypto, asked: Asked, reply: Reply): WitnessAnswer {
  if ('failure' in reply) return { kind: 'unavailable', why: reply.failure, retryAfterMs: 0 }
  const { status } = reply
  if (status === 200) return readCosignature(crypto, asked, reply.body)
  if (status === 409) return { kind: 'conflict', size: readSize(reply) }
  if (status === 422) return { kind: 'unprovable' }
  const why = `status ${status}`
  if (status !== 429 && status < 500) return { kind: 'refused', why }
  return { kind: 'unavailable', why, retryAfterMs: readRetryAfterMs(reply.retryAfter) }
}

/** The newest line by the witness's key. Lines of other keys are nothing to us; one that does not check spoils the answer. */
function readCosignature(crypto: Crypto, asked: Asked, body: Uint8Array): WitnessAnswer {
  const { witness, checkpoint, nowSeconds, lastTimeSeconds } = asked
  try {
    const candidates = parseCosignatureLines(parseUtf8(body)).flatMap((signature) => {
      const cosignature = openCosignature(crypto, { text: checkpoint.text, signatures: [signature] }, witness)
      return cosignature === undefined ? [] : [{ signature, timeSeconds: cosignature.timeSeconds }]
    })
    const [first, ...rest] = candidates
    if (first === undefined) return unusable('it has no line by the key of the policy')
    const { signature, timeSeconds } = rest.reduce((a, b) => (b.timeSeconds > a.timeSeconds ? b : a), first)
    if (timeSeconds > nowSeconds + MAX_FUTURE_SECONDS) return unusable('its cosignature is from the future')
    if (timeSeconds < lastTimeSeconds) return unusable('its cosignature is older than its last one')
    return { kind: 'cosigned', signature, timeSeconds }
  } catch (thrown) {
    return unusable(thrown instanceof CountersignError ? thrown.code : 'it cannot be read')
  }
}

function readSize({ body }: { readonly body: Uint8Array }): number | undefined {
  const [, digits] = /^(0|[1-9][0-9]{0,15})\n?$/.exec(Buffer.from(body).toString('latin1')) ?? []
  const size = Number(digits)
  return digits !== undefined && Number.isSafeInteger(size) ? size : undefined
}

function readRetryAfterMs(text: string | undefined): number {
  return /^[0-9]{1,6}$/.test(text ?? '') ? Number(text) * 1000 : 0
}

function unusable(why: string): WitnessAnswer {
  return { kind: 'unusable', why }
}
