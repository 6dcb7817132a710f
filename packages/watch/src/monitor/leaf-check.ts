/** Whether entries are leaves of statements. Most leaves of a log differ in two fields alone, and those are all that is looked at then. */
import { CountersignError, parseLeaf } from '@countersign/verify'

/** What comes before each of a leaf's three values. */
const DIGEST_AT =
  '{"apiVersion":"0.0.2","kind":"dsse","spec":{"dsseV002":{"payloadHash":{"algorithm":"SHA2_256","digest":"'.length
const DIGEST_END = DIGEST_AT + 44
const SIGNATURE_AT = DIGEST_END + '"},"signatures":[{"content":"'.length

const QUOTE = 0x22
const PADDING = 0x3d

/** Six bits of each character of base64; 64 for those that are none. */
const SEXTETS = /* @__PURE__ */ sextets()

function sextets(): Uint8Array {
  const values = new Uint8Array(256).fill(64)
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  for (let i = 0; i < alphabet.length; i++) values[alphabet.charCodeAt(i)] = i
  return values
}

/** Says for each entry whether `parseLeaf` takes it. Remembers one leaf, to compare the next with. */
export class LeafCheck {
  /** A leaf that was parsed, and where its signature ends. */
  #known: Buffer | undefined
  #signatureEnd = 0

  isLeaf(entry: Uint8Array): boolean {
    if (this.#isLikeKnown(entry)) return true
    try {
      const { payloadHash } = parseLeaf(entry)
      const known = Buffer.from(entry)
      const end = known.indexOf(QUOTE, SIGNATURE_AT)
      if (payloadHash.length === 32 && end > SIGNATURE_AT) {
        this.#known = known
        this.#signatureEnd = end
      }
      return true
    } catch (thrown) {
      if (thrown instanceof CountersignError) return false
      throw thrown
    }
  }

  /** The same bytes outside digest and signature, and in these two strict base64 of the same length. */
  #isLikeKnown(entry: Uint8Array): boolean {
    const known = this.#known
    const end = this.#signatureEnd
    if (known === undefined || known.length !== entry.length) return false
    return (
      known.compare(entry, 0, DIGEST_AT, 0, DIGEST_AT) === 0 &&
      known.compare(entry, DIGEST_END, SIGNATURE_AT, DIGEST_END, SIGNATURE_AT) === 0 &&
      known.compare(entry, end, entry.length, end, known.length) === 0 &&
      isBase64(entry, DIGEST_AT, DIGEST_END) &&
      isBase64(entry, SIGNATURE_AT, end)
    )
  }
}

/** Strict base64 with its padding: whole groups of four, and zero in the unused bits. */
function isBase64(bytes: Uint8Array, start: number, end: number): boolean {
  if ((end - start) % 4 !== 0) return false
  const padding = bytes[end - 1] !== PADDING ? 0 : bytes[end - 2] !== PADDING ? 1 : 2
  let all = 0
  for (let i = start; i < end - padding; i++) all |= SEXTETS[bytes[i] ?? 0] ?? 64
  const last = SEXTETS[bytes[end - padding - 1] ?? 0] ?? 64
  const unused = padding === 0 ? 0 : padding === 1 ? 0b11 : 0b1111
  return all < 64 && (last & unused) === 0
}
