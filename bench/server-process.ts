/** A server in a process of its own, started and stopped by its handle. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export interface ServerProcess {
  readonly port: number
  /** Memory that is resident, in MiB. */
  residentMiB(): number
  stop(): Promise<void>
}

/** Starts a program of `programs/` that says at what address it serves. */
export async function startServer(program: string, args: readonly string[]): Promise<ServerProcess> {
  const path = fileURLToPath(new URL(`./programs/${program}.ts`, import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', path, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const port = await readPort(child)
  return {
    port,
    residentMiB() {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024
    },
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve())
        child.kill('SIGTERM')
      }),
  }
}

function readPort(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let output = ''
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)))
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8')
      const port = /:(\d+)\n/.exec(output)?.[1]
      if (port !== undefined) resolve(Number(port))
    })
  })
}
