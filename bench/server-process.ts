/** A server in a process of its own, started and stopped by its handle. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

export interface ServerProcess {
  readonly port: number
  /** Memory that is resident, in MiB. */
  residentMiB(): number
  stop(): Promise<void>
}

export interface ProgramOptions {
  readonly folder?: string
  readonly environment?: { readonly [name: string]: string }
  /** The port that it was told to serve at. Otherwise it says that itself, in its output. */
  readonly port?: number
}

const START_LIMIT_MS = 60_000
/** Then it is killed. */
const STOP_LIMIT_MS = 15_000
const POLL_MS = 50

/**
 * Starts a program of `programs/` that says at what address it serves. It is compiled first: a loader of TypeScript in the
 * process would count as memory of the server.
 */
export async function startServer(program: string, args: readonly string[]): Promise<ServerProcess> {
  // As deep as its source, for what it finds relative to itself.
  const compiled = fileURLToPath(new URL(`./.built/${program}-${process.pid}-${started++}.mjs`, import.meta.url))
  await build({
    entryPoints: [fileURLToPath(new URL(`./programs/${program}.ts`, import.meta.url))],
    outfile: compiled,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'error',
  })
  try {
    return await startProgram([compiled, ...args])
  } finally {
    rmSync(compiled)
  }
}

let started = 0

/** Starts Node with these arguments; resolves once it serves. @throws {Error} when it ends, or takes too long */
export async function startProgram(
  args: readonly string[],
  { folder, environment = {}, port: knownPort }: ProgramOptions = {},
): Promise<ServerProcess> {
  const child = spawn(process.execPath, [...args], {
    cwd: folder,
    env: { ...process.env, ...environment },
    stdio: ['ignore', knownPort === undefined ? 'pipe' : 'ignore', 'inherit'],
  })
  try {
    const port = await within(
      START_LIMIT_MS,
      child,
      knownPort === undefined ? readPort(child) : waitFor(child, knownPort),
    )
    return {
      port,
      residentMiB() {
        const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
        return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024
      },
      stop: () => stop(child),
    }
  } catch (thrown) {
    await stop(child)
    throw thrown
  }
}

/** A port that nobody serves at, for programs that must be told one. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

function within(limitMs: number, child: ChildProcess, started: Promise<number>): Promise<number> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the server did not start within ${limitMs / 1000} s`)), limitMs)
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)))
    child.once('error', reject)
    started.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

function readPort(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    let output = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      output = `${output}${chunk.toString('utf8')}`.slice(-1024)
      const port = /:(\d+)\n/.exec(output)?.[1]
      if (port !== undefined) resolve(Number(port))
    })
  })
}

async function waitFor(child: ChildProcess, port: number): Promise<number> {
  for (let leftMs = START_LIMIT_MS; leftMs > 0 && child.exitCode === null; leftMs -= POLL_MS) {
    if (await accepts(port)) return port
    await sleep(POLL_MS)
  }
  throw new Error('the server does not accept connections')
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const settle = (isOpen: boolean) => {
      socket.destroy()
      resolve(isOpen)
    }
    socket.once('connect', () => settle(true)).once('error', () => settle(false))
  })
}

function stop(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS)
    child.once('exit', () => {
      clearTimeout(timer)
      resolve()
    })
    child.kill('SIGTERM')
  })
}
