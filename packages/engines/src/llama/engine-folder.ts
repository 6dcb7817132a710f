/** Where engines are that are installed aside, and what of llama.cpp is there. */
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { CountersignError, Fields, PAYLOAD_LIMITS, parseJson } from '@countersign/verify'
import type { LlamaProfile } from '../profile.ts'

/** Platforms with a build that can be installed, as `process.platform` and `process.arch` name them. */
export const LLAMA_PLATFORMS: readonly string[] = ['linux-x64', 'linux-arm64']

/** The command that mends a missing engine. */
const REMEDY = 'run countersign engine install llama'

/** The folder of engines that the environment names, or `.countersign/engines` in the user's home. */
export function enginesFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const named = environment.COUNTERSIGN_ENGINES
  return named === undefined || named === '' ? join(homedir(), '.countersign', 'engines') : named
}

/** The folder of llama.cpp in a folder of engines. */
export function llamaFolder(engines: string): string {
  return join(engines, 'llama')
}

/** The folder of a package in the folder of llama.cpp. */
export function packageFolder(llama: string, name: string): string {
  return join(llama, 'node_modules', ...name.split('/'))
}

export function llamaPlatform(): string {
  return `${process.platform}-${process.arch}`
}

/**
 * Proves that the folder of llama.cpp has the packages that the profile needs, in its version, or throws. Loads nothing.
 *
 * Takes manifests at their word: that the files are the published ones was the lock file's job when they were installed.
 * Whoever can write to the folder since decides what this process runs.
 *
 * @throws {CountersignError} `execution/engine-missing`, `execution/profile-unmet`
 */
export async function verifyLlamaVersion({ id, engine, version }: LlamaProfile, llama: string): Promise<void> {
  for (const name of [engine, `@node-llama-cpp/${llamaPlatform()}`]) {
    const installed = await readInstalledVersion(llama, name)
    if (installed === undefined) throw missing(`profile ${id} needs ${name} ${version}, which is not installed`)
    if (installed !== version) {
      const message = `profile ${id} needs ${name} ${version}; it is installed as ${installed}: ${REMEDY}`
      throw new CountersignError('execution/profile-unmet', message)
    }
  }
}

/** The version in the manifest of a package there; `undefined` when there is none to read. */
export async function readInstalledVersion(llama: string, name: string): Promise<string | undefined> {
  try {
    const manifest = await readFile(join(packageFolder(llama, name), 'package.json'))
    return new Fields(parseJson(manifest, PAYLOAD_LIMITS), 'manifest').text('version', { maxLength: 64 })
  } catch {
    return undefined
  }
}

function missing(what: string): CountersignError {
  return new CountersignError('execution/engine-missing', `${what}: ${REMEDY}`)
}
