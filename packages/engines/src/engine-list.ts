/** Which engines there are, and which of them are here. */
import { readPackageVersion } from './installation.ts'
import { llamaFolder, readInstalledVersion } from './llama/engine-folder.ts'
import { LLAMA_PROFILE, type LlamaProfile, PROFILES, type Profile } from './profile.ts'

export interface EngineState {
  readonly profile: string
  readonly engine: (Profile | LlamaProfile)['engine']
  /** What the profile needs, and what is here; `null` when nothing is. */
  readonly version: string
  readonly installed: string | null
  /** Whether a profile can be met, as far as a version says. */
  readonly isMet: boolean
  /** Folder of an engine that is installed aside. */
  readonly folder: string | null
}

/** Looks at manifests and loads nothing. `engines` is the folder of engines that are installed aside. */
export async function listEngines(engines: string): Promise<readonly EngineState[]> {
  const states = PROFILES.map(async (profile) => describe(profile, await readPackageVersion(profile.engine), null))
  const folder = llamaFolder(engines)
  const aside = describe(LLAMA_PROFILE, await readInstalledVersion(folder, LLAMA_PROFILE.engine), folder)
  return [...(await Promise.all(states)), aside]
}

function describe(
  { id, engine, version }: Profile | LlamaProfile,
  installed: string | undefined,
  folder: string | null,
): EngineState {
  return { profile: id, engine, version, installed: installed ?? null, isMet: installed === version, folder }
}
