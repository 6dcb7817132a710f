/** Binary evidence that was written as text: hexadecimal, base64, base64url. */
import { parseBase64, parseBase64Url } from '../../bytes/base64.ts'
import { equalBytes, parseHex, parseUtf8 } from '../../bytes/bytes.ts'
import { readable } from '../readable.ts'

/** Shorter texts are no evidence of any kind, and no kind has evidence as long as longer ones. */
const MIN_TEXT_LENGTH = 64
const MAX_TEXT_LENGTH = 8 * 1024 * 1024

/**
 * What a text may stand for, each reading once; none where it is no text, or of other characters. A text of hexadecimal digits
 * alone is base64 as well: which of the two is meant only what comes of them can tell.
 *
 * White space is left out wherever it stands, `0x` in front of hexadecimal digits and the padding of base64 may be there or not.
 */
export function readingsOf(text: string): readonly Uint8Array[] {
  const dense = text.replace(/\s+/g, '')
  if (dense.length < MIN_TEXT_LENGTH || dense.length > MAX_TEXT_LENGTH) return []
  const readings = [
    readable(() => parseHex(dense.replace(/^0x/i, '').toLowerCase())),
    readable(() => parseBase64(padded(dense))),
    readable(() => parseBase64Url(withoutPadding(dense))),
  ].filter((reading) => reading !== undefined)
  return readings.filter((reading, i) => readings.findIndex((other) => equalBytes(other, reading)) === i)
}

/** The text that the bytes are; `undefined` where they are none. A byte order mark is left out. */
export function textIn(bytes: Uint8Array): string | undefined {
  const text = readable(() => parseUtf8(bytes))
  return text?.startsWith('\ufeff') ? text.slice(1) : text
}

/** Bytes of a text in base64 or base64url, padded or not, in lines or not. @throws {CountersignError} `bytes/bad-base64` */
export function parseAnyBase64(text: string): Uint8Array {
  const dense = text.replace(/\s+/g, '')
  return /[-_]/.test(dense) ? parseBase64Url(withoutPadding(dense)) : parseBase64(padded(dense))
}

function padded(text: string): string {
  const bare = withoutPadding(text)
  return bare + '='.repeat((4 - (bare.length % 4)) % 4)
}

function withoutPadding(text: string): string {
  return text.replace(/={1,2}$/, '')
}
