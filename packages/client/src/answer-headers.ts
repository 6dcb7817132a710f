/** What a recorded answer says of itself in its headers. @spec spec/http.md */
import { CountersignError, parseBase64Url, parseHex, type ReceiptId, SALT_BYTES } from '@countersign/verify'

/** Headers of a recorded answer, in their form; nothing of what they say is checked. */
export interface AnswerHeaders {
  readonly receipt: ReceiptId
  /** Opens receipt, dossier and statement. */
  readonly secret: string | undefined
  readonly saltSeed: Uint8Array | undefined
  /** The promise's one-line form, where it came in a header. */
  readonly promise: string | undefined
}

/**
 * Reads our headers of an answer; `undefined` when it has no receipt.
 *
 * @throws {CountersignError} `bytes/bad-hex`, `bytes/bad-base64`, `shape/bad-value`
 */
export function parseAnswerHeaders(headers: Headers): AnswerHeaders | undefined {
  const receipt = headers.get('countersign-receipt')
  if (receipt === null) return undefined
  parseHex(receipt, 16)
  const secret = headers.get('countersign-secret') ?? undefined
  if (secret !== undefined && !/^[!-~]{1,256}$/.test(secret)) {
    throw new CountersignError('shape/bad-value', 'Countersign-Secret: expected 1 to 256 visible characters')
  }
  return {
    receipt,
    secret,
    saltSeed: parseSaltSeed(headers.get('countersign-salts')),
    promise: headers.get('countersign-promise') ?? undefined,
  }
}

function parseSaltSeed(text: string | null): Uint8Array | undefined {
  if (text === null) return undefined
  const seed = parseBase64Url(text)
  if (seed.length !== SALT_BYTES) {
    throw new CountersignError('shape/bad-value', `Countersign-Salts: expected ${SALT_BYTES} bytes`)
  }
  return seed
}
