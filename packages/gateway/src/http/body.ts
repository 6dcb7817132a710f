/** Reads a request's body within its limit. */
import type { IncomingMessage } from 'node:http'
import { CountersignError, GatheredBytes } from '@countersign/verify'
import type { Holding } from '../admission/holding.ts'

/** How long a refused client may go on sending, so that it gets to read why. */
const LINGER_MS = 2000

/**
 * The whole body. Its bytes count from the moment they come until `holding` is released.
 *
 * @throws {CountersignError} `request/too-large`, `request/unsupported-encoding`, `request/malformed` when the client
 *   leaves before its end, `queue/full`
 */
export function readBody(
  request: IncomingMessage,
  maxBytes: number,
  holding: Pick<Holding, 'add'>,
): Promise<Uint8Array> {
  const encoding = request.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') {
    throw new CountersignError('request/unsupported-encoding', 'send the body without content-encoding')
  }
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes)
  return new Promise((resolve, reject) => {
    const gathered = new GatheredBytes()
    const onData = (chunk: Buffer) => {
      try {
        if (gathered.length + chunk.length > maxBytes) throw tooLarge(maxBytes)
        holding.add(chunk.length)
        gathered.add(chunk)
      } catch (thrown) {
        // What came is let go at once, and what still comes is not kept.
        gathered.clear()
        request.off('data', onData).off('end', onEnd)
        reject(thrown)
      }
    }
    // Bytes of their own: a chunk is a window on the 64 KiB that came off the socket, all of which would go to other
    // threads with it.
    const onEnd = () => resolve(gathered.bytes())
    request.on('data', onData)
    request.on('end', onEnd)
    request.on('error', () => reject(new CountersignError('request/malformed', 'the request ended before its body')))
    request.on('aborted', () => reject(new CountersignError('request/malformed', 'the request ended before its body')))
  })
}

function tooLarge(maxBytes: number): CountersignError {
  return new CountersignError('request/too-large', `the body has more than ${maxBytes} bytes`)
}

/** Throws away what is left of a body. To close at once would reset the connection, and the reply with it. */
export function linger(request: IncomingMessage): void {
  const timer = setTimeout(() => request.destroy(), LINGER_MS)
  request.once('close', () => clearTimeout(timer))
  request.resume()
}
