/** A gateway in a process of its own, as an operator would run it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { CountersignError } from '@countersign/verify'

const START_TIMEOUT_MS = 30_000

export interface GatewayProcess {
  readonly url: string
  /** Lets it end in order. */
  stop(): Promise<void>
}

/** The command's own program, for starting fresh processes. */
export function countersignProgram(): string {
  return fileURLToPath(new URL('../../bin/countersign.js', import.meta.url))
}

/** Starts the labelled example on a free port. @throws {CountersignError} `gateway/unreachable` */
export async function startGateway(dataFolder: string): Promise<GatewayProcess> {
  const child = spawn(process.execPath, [countersignProgram(), 'serve', '--data', dataFolder, '--port', '0'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const url = await untilServing(child)
  return {
    url,
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve())
        child.kill('SIGTERM')
      }),
  }
}

function untilServing(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = ''
    const fail = () => {
      child.kill('SIGKILL')
      reject(new CountersignError('gateway/unreachable', `the gateway did not start:\n${output}`))
    }
    const timer = setTimeout(fail, START_TIMEOUT_MS)
    const read = (chunk: Buffer) => {
      output += chunk.toString('utf8')
      const url = / at (http:\/\/\S+)/.exec(output)?.[1]
      if (url === undefined) return
      clearTimeout(timer)
      child.off('exit', fail)
      resolve(url)
    }
    child.stdout?.on('data', read)
    child.stderr?.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8')
    })
    child.once('exit', fail)
  })
}
