/** Starts and ends gateways in processes of their own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('./gateway-program.testing.js', import.meta.url))

export interface GatewayProcess {
  /** The gateway's address once it listens; `undefined` when the process ended before. */
  readonly ready: Promise<string | undefined>
  /** Why the gateway refused to start, and what it wrote to its error stream. */
  readonly complaints: readonly string[]
  readonly exited: Promise<void>
  /** SIGKILL, to this process alone; resolves when it is gone. */
  kill(): Promise<void>
  /** Lets it close. */
  close(): Promise<void>
}

export interface GatewayProcessOptions {
  /** A mock upstream for the load's chats; without it there is the tensor model alone. */
  readonly upstreamUrl?: string
  /** Name of a cheating build. */
  readonly build?: string | undefined
  readonly environment?: NodeJS.ProcessEnv
}

export function startGatewayProcess(
  dataRoot: string,
  { upstreamUrl = '', build = '', environment = {} }: GatewayProcessOptions = {},
): GatewayProcess {
  const child = spawn(process.execPath, ['--enable-source-maps', PROGRAM, dataRoot, upstreamUrl, build], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '', NODE_TEST_CONTEXT: '', UV_USE_IO_URING: '0', ...environment },
  })
  const complaints: string[] = []
  const exited = new Promise<void>((resolve) => {
    child.once('close', () => resolve())
  })
  createInterface({ input: child.stderr }).on('line', (line) => complaints.push(line))
  return {
    ready: readyOf(child, complaints, exited),
    complaints,
    exited,
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
    async close() {
      child.stdin.end()
      await exited
    },
  }
}

function readyOf(child: ChildProcess, complaints: string[], exited: Promise<void>): Promise<string | undefined> {
  return new Promise((resolve) => {
    if (child.stdout !== null) {
      createInterface({ input: child.stdout }).on('line', (line) => {
        const [word, rest = ''] = line.split(/ (.*)/s)
        if (word === 'listening') resolve(rest)
        else complaints.push(line)
      })
    }
    void exited.then(() => resolve(undefined))
  })
}
