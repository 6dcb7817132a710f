/** Processes that end with the one that started them: in order as a rule, at once when it goes away. Each by its own id. */
import { type ChildProcess, spawn } from 'node:child_process'
import { CountersignError } from '@countersign/verify'

const START_TIMEOUT_MS = 60_000

/** One that does not end in order by then is killed. */
const STOP_TIMEOUT_MS = 15_000

/** Most of its output that is kept while it starts. */
const MAX_OUTPUT = 64 * 1024

/** A running process, and what it said when it was ready. */
export interface Started<T> {
  readonly said: T
  /** Lets it end in order. */
  stop(): Promise<void>
}

/** The processes that were started here and have not ended. */
export class Processes {
  readonly #running = new Set<ChildProcess>()

  /**
   * Starts a program for Node, and waits until `read` finds in its standard output what says that it is ready.
   *
   * @throws {CountersignError} `gateway/unreachable` with all that it said, when it ends before or takes a minute
   */
  async start<T>(args: readonly string[], read: (output: string) => T | undefined): Promise<Started<T>> {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#running.add(child)
    child.once('exit', () => this.#running.delete(child))
    return { said: await untilReady(child, read), stop: () => stop(child) }
  }

  /** Lets all of them end in order. */
  async stopAll(): Promise<void> {
    await Promise.all([...this.#running].map(stop))
  }

  /** Ends all of them at once, for when the process itself is going away. */
  kill(): void {
    for (const child of this.#running) child.kill('SIGKILL')
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
  await ended
  clearTimeout(timer)
}

function untilReady<T>(child: ChildProcess, read: (output: string) => T | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    let output = ''
    let complaints = ''
    const fail = () => {
      clearTimeout(timer)
      child.kill('SIGKILL')
      reject(new CountersignError('gateway/unreachable', `a process did not start:\n${output}${complaints}`))
    }
    const timer = setTimeout(fail, START_TIMEOUT_MS)
    const take = (chunk: Buffer) => {
      if (output.length < MAX_OUTPUT) output += chunk.toString('utf8')
      const said = read(output)
      if (said === undefined) return
      clearTimeout(timer)
      child.stdout?.off('data', take).resume()
      child.off('exit', fail)
      resolve(said)
    }
    child.stdout?.on('data', take)
    child.stderr?.on('data', (chunk: Buffer) => {
      if (complaints.length < MAX_OUTPUT) complaints += chunk.toString('utf8')
    })
    child.once('exit', fail)
  })
}
