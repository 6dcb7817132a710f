/** Bodies that an upstream compressed although it was asked not to, with a limit on what they may grow to. */
import { Readable, type Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import { CountersignError } from '@countersign/verify'

/** Most bytes of a decoded body. */
export const MAX_DECODED_BYTES = 64 * 1024 * 1024
/** How many times its encoded size a decoded body may be, once it is longer than {@link RATIO_FREE_BYTES}. */
export const MAX_DECODED_RATIO = 100
export const RATIO_FREE_BYTES = 1024 * 1024

/** Most decoded bytes that wait for a reader. */
const HIGH_WATER_MARK = 64 * 1024

const DECODERS: { readonly [encoding: string]: () => Transform } = {
  gzip: () => createGunzip(),
  'x-gzip': () => createGunzip(),
  deflate: () => createInflate(),
  br: () => createBrotliDecompress(),
}

/**
 * The decoded body. Decodes no further than it is read, so memory stays bounded however large it would become. It fails
 * as the source fails; when it is destroyed, so is the source.
 *
 * Its errors are `upstream/too-large` beyond the limits, and `upstream/malformed` when the bytes are not of that encoding.
 *
 * @throws {CountersignError} `upstream/malformed` when the encoding is unknown, or there are several, one upon another
 */
export function decodeBody(source: Readable, encoding: string): Readable {
  const decoder = Object.hasOwn(DECODERS, encoding) ? DECODERS[encoding]?.() : undefined
  if (decoder === undefined) throw malformed('its answer has a content encoding that nobody asked for')
  let encoded = 0
  let decoded = 0
  const body = new Readable({
    highWaterMark: HIGH_WATER_MARK,
    read: () => void decoder.resume(),
    destroy(error, done) {
      decoder.destroy()
      source.destroy()
      done(error)
    },
  })
  source.on('data', (chunk: Uint8Array) => {
    encoded += chunk.length
  })
  source.on('error', (error) => body.destroy(error))
  decoder.on('data', (chunk: Uint8Array) => {
    decoded += chunk.length
    if (isTooLarge(encoded, decoded)) body.destroy(tooLarge())
    else if (!body.push(chunk)) decoder.pause()
  })
  decoder.on('error', () => {
    // An answer without a body has none of its encoding either.
    if (encoded === 0) body.push(null)
    else body.destroy(malformed(`its answer is not ${encoding} as it says`))
  })
  decoder.on('end', () => body.push(null))
  source.pipe(decoder).pause()
  return body
}

function isTooLarge(encoded: number, decoded: number): boolean {
  return decoded > MAX_DECODED_BYTES || (decoded > RATIO_FREE_BYTES && decoded > encoded * MAX_DECODED_RATIO)
}

function tooLarge(): CountersignError {
  const why = `its answer decodes to more than ${MAX_DECODED_BYTES} bytes, or to more than ${MAX_DECODED_RATIO} times its size`
  return new CountersignError('upstream/too-large', why)
}

function malformed(message: string): CountersignError {
  return new CountersignError('upstream/malformed', message)
}
