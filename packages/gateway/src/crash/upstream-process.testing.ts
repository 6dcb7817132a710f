/** Starts the mock upstream in a process of its own, which outlives the gateways in front of it. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('../mock-upstream/program.testing.js', import.meta.url))

export interface UpstreamProcess {
  readonly url: string
  close(): Promise<void>
}

/** @throws {Error} when it ends before it serves */
export async function startUpstreamProcess(): Promise<UpstreamProcess> {
  const child = spawn(process.execPath, [PROGRAM], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [, address] = /^serving at (.+)$/.exec(line) ?? []
      if (address !== undefined) resolve(address)
    })
    child.once('error', reject)
    void exited.then(() => reject(new Error('the mock upstream did not start')))
  })
  return {
    url,
    async close() {
      child.kill('SIGTERM')
      await exited
    },
  }
}
