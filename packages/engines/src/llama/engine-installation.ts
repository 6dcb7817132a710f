/** Puts llama.cpp into a folder of engines: the versions and bytes that a lock file of this package names. */
import { spawn } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CountersignError } from '@countersign/verify'
import { LLAMA_PROFILE } from '../profile.ts'
import { LLAMA_PLATFORMS, llamaFolder, llamaPlatform, verifyLlamaVersion } from './engine-folder.ts'
import { openLlama } from './library.ts'

export interface LlamaInstallation {
  readonly engine: 'node-llama-cpp'
  readonly version: string
  readonly profile: string
  readonly platform: string
  readonly folder: string
  /** Whether it was there already, and loads; then nothing was fetched. */
  readonly wasThere: boolean
}

/** Steps of an installation, in order. */
export const INSTALLATION_STEPS = ['looking at what is there', 'fetching its packages', 'loading it once'] as const

export interface InstallationOptions {
  /** Called at the beginning of each step, with its place in {@link INSTALLATION_STEPS}. */
  readonly onStep?: (step: number) => void
  /** What `process.platform` and `process.arch` say unless told. */
  readonly platform?: string
}

const INSTALL_TIMEOUT_MS = 10 * 60_000
const MANIFESTS = ['package.json', 'package-lock.json']
/** Nothing that is installed runs a program of its own; optional packages are the builds for graphics cards. */
const NPM_ARGUMENTS = ['ci', '--ignore-scripts', '--omit=optional', '--no-audit', '--no-fund', '--loglevel=error']

/**
 * Installs llama.cpp beside what else is in the folder of engines, which is made (mode 0700) when it is not there.
 *
 * npm fetches exactly what the lock file names, and refuses bytes of another digest. All happens in a new folder, which
 * takes the place of the old one only once the engine was loaded from it. A folder whose engine has the right version and
 * loads is left as it is; its bytes are not looked at again.
 *
 * @throws {CountersignError} `execution/profile-unmet` when there is no build for the platform or what was installed does
 *   not load; `execution/engine-missing` when npm fails
 */
export async function installLlama(engines: string, options: InstallationOptions = {}): Promise<LlamaInstallation> {
  const { onStep = () => {}, platform = llamaPlatform() } = options
  if (!LLAMA_PLATFORMS.includes(platform)) {
    const message = `there is no build of llama.cpp for ${platform}; there are ${LLAMA_PLATFORMS.join(', ')}`
    throw new CountersignError('execution/profile-unmet', message)
  }
  const folder = llamaFolder(engines)
  const { version, id: profile } = LLAMA_PROFILE
  const about = { engine: 'node-llama-cpp', version, profile, platform, folder } as const
  onStep(0)
  if (await doesLoad(folder)) return { ...about, wasThere: true }
  try {
    await mkdir(engines, { recursive: true, mode: 0o700 })
    const staging = await mkdtemp(join(engines, '.llama-'))
    try {
      await replaceFolder(folder, staging, platform, onStep)
    } finally {
      await rm(staging, { recursive: true, force: true })
    }
  } catch (thrown) {
    if (thrown instanceof CountersignError) throw thrown
    const code = (thrown as NodeJS.ErrnoException).code ?? 'unknown error'
    const message = `the folder of engines cannot be written to (${code}); name another one`
    throw new CountersignError('execution/engine-missing', message, { cause: thrown })
  }
  return { ...about, wasThere: false }
}

async function replaceFolder(
  folder: string,
  staging: string,
  platform: string,
  onStep: (step: number) => void,
): Promise<void> {
  const made = join(staging, 'new')
  await mkdir(made, { mode: 0o700 })
  for (const name of MANIFESTS) await copyFile(join(manifests(platform), name), join(made, name))
  onStep(1)
  await runNpm(made)
  onStep(2)
  await verifyLoads(made)
  await rename(folder, join(staging, 'old')).catch(ignoreMissing)
  await rename(made, folder).catch(async (thrown: unknown) => {
    // Somebody else may have installed it meanwhile.
    if (!(await doesLoad(folder))) throw thrown
  })
}

/** The manifest and lock file of a platform's packages, which are part of this package. */
function manifests(platform: string): string {
  return fileURLToPath(new URL(`../../llama/${platform}/`, import.meta.url))
}

/** Proves that the engine in the folder has the profile's version, and starts. */
async function verifyLoads(folder: string): Promise<void> {
  await verifyLlamaVersion(LLAMA_PROFILE, folder)
  const runtime = await openLlama(folder, LLAMA_PROFILE).start()
  await runtime.dispose()
}

async function doesLoad(folder: string): Promise<boolean> {
  return verifyLoads(folder).then(
    () => true,
    () => false,
  )
}

/** Its messages go to standard error, where whoever asked for the installation sees them. */
function runNpm(folder: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('npm', [...NPM_ARGUMENTS, '--prefix', folder], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    // The timer that spawn itself offers outlives a program that never started.
    const timer = setTimeout(() => child.kill(), INSTALL_TIMEOUT_MS)
    const fail = (how: string, cause?: unknown) => {
      clearTimeout(timer)
      const message = `llama.cpp was not installed: npm ${how}`
      reject(new CountersignError('execution/engine-missing', message, { cause }))
    }
    child.once('error', (error) => fail('could not be started', error))
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      if (code === 0) resolve()
      else fail(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`)
    })
  })
}

function ignoreMissing(thrown: NodeJS.ErrnoException): void {
  if (thrown.code !== 'ENOENT') throw thrown
}
