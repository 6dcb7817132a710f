/** A command of the operator's that gets evidence where the gateway cannot ask the hardware itself. */
import { spawn } from 'node:child_process'
import { CountersignError, GatheredBytes, toHex } from '@countersign/verify'

/** What evidence is to have in it. */
export interface Bound {
  readonly reportData: Uint8Array
  readonly nonce: Uint8Array
  readonly statementKey: Uint8Array
}

/** What it may write, and how long it may take. */
export const MAX_COMMAND_BYTES = 256 * 1024
const COMMAND_MS = 30_000

export interface CommandLimits {
  /** Ends it at once. */
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs?: number
}

/**
 * Runs it without a shell. On its standard input it is given one line of JSON: `nonce`, `publicKey` (SubjectPublicKeyInfo) and
 * `reportData`, all in hexadecimal. What it writes to its standard output is the evidence, byte for byte; its standard error
 * goes nowhere. Of the environment it has `PATH` alone.
 *
 * @throws {CountersignError} `place/unreachable`
 */
export function runForEvidence(
  [program, ...arguments_]: readonly [string, ...string[]],
  { reportData, nonce, statementKey }: Bound,
  { signal, timeoutMs = COMMAND_MS }: CommandLimits = {},
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    // Secrets of the gateway may be in its environment, and are none of the command's business.
    const env = process.env.PATH === undefined ? {} : { PATH: process.env.PATH }
    const child = spawn(program, arguments_, { stdio: ['pipe', 'pipe', 'ignore'], shell: false, env })
    const gathered = new GatheredBytes()
    const settle = (why: string | undefined) => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      if (why === undefined) return resolve(gathered.bytes())
      child.kill('SIGKILL')
      child.stdout.destroy()
      reject(new CountersignError('place/unreachable', `the command for evidence ${why}`))
    }
    const timer = setTimeout(() => settle('did not end in time'), timeoutMs)
    const onAbort = () => settle('was given up')
    if (signal?.aborted) return onAbort()
    signal?.addEventListener('abort', onAbort, { once: true })
    child.once('error', ({ code }: NodeJS.ErrnoException) => settle(`cannot be run (${code})`))
    child.stdout.on('data', (chunk: Buffer) => {
      gathered.add(chunk)
      if (gathered.length > MAX_COMMAND_BYTES) settle('wrote more than any evidence has')
    })
    child.once('close', (status) => {
      if (status !== 0) settle(`failed with status ${status}`)
      else settle(gathered.length === 0 ? 'wrote nothing' : undefined)
    })
    // One that does not read what it is told may still give evidence.
    child.stdin.on('error', () => undefined)
    const asked = { nonce: toHex(nonce), publicKey: toHex(statementKey), reportData: toHex(reportData) }
    child.stdin.end(`${JSON.stringify(asked)}\n`)
  })
}
