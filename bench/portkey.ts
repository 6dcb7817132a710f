/** Another gateway to measure ours against: installed aside from its own lock file, and never a dependency. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort, type ServerProcess, startProgram } from './server-process.ts'

const FOLDER = fileURLToPath(new URL('./portkey/', import.meta.url))
const PROGRAM = join('node_modules', '@portkey-ai', 'gateway', 'build', 'start-server.js')
const INSTALL_LIMIT_MS = 180_000

/** Started, and installed before that where it is not; `undefined` where it cannot be installed. */
export async function startPortkey(): Promise<ServerProcess | undefined> {
  if (!existsSync(join(FOLDER, PROGRAM)) && !install()) return undefined
  const port = await freePort()
  return startProgram([PROGRAM, `--port=${port}`, '--headless'], {
    folder: FOLDER,
    environment: { NODE_ENV: 'production' },
    port,
  })
}

function install(): boolean {
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund']
  const { status } = spawnSync('npm', args, { cwd: FOLDER, stdio: 'ignore', timeout: INSTALL_LIMIT_MS })
  return status === 0 && existsSync(join(FOLDER, PROGRAM))
}

/** What a request to it needs, to be sent on to that upstream. */
export function portkeyHeaders(upstreamUrl: string): { readonly [name: string]: string } {
  return { 'x-portkey-provider': 'openai', 'x-portkey-custom-host': `${upstreamUrl}/v1` }
}
