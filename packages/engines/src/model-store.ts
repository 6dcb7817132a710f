/** Models by digest: found in folders, loaded in a profile, kept loaded. */
import { readFile } from 'node:fs/promises'
import { CountersignError } from '@countersign/verify'
import { type LoadedModel, loadModel } from './model.ts'
import { ModelCache } from './model-cache.ts'
import { ModelFolders } from './model-folders.ts'
import type { Profile } from './profile.ts'

export interface ModelStore {
  /**
   * Runs `work` on the model with that SHA-256, hexadecimal, loaded in that profile. The model is valid until `work` is
   * done; the store closes it.
   *
   * @throws {CountersignError} `execution/model-not-found`, and what {@link loadModel} and `work` throw
   */
  use<T>(profile: Profile, digest: string, work: (model: LoadedModel) => Promise<T>): Promise<T>
  /** Frees the models that are not in use. The store can be used again. */
  close(): Promise<void>
}

export interface ModelStoreOptions {
  /** Folders to search, with the folders in them. */
  readonly folders: readonly string[]
  /** Most models that stay loaded when not in use: 4 unless told. */
  readonly maxLoaded?: number
}

const DEFAULT_MAX_LOADED = 4

/** A store of the models in some folders. Reads nothing until the first use. */
export function createModelStore({ folders, maxLoaded = DEFAULT_MAX_LOADED }: ModelStoreOptions): ModelStore {
  const found = new ModelFolders(folders)
  const cache = new ModelCache(maxLoaded)

  async function load(profile: Profile, digest: string): Promise<LoadedModel> {
    const path = await found.find(digest)
    const bytes = await readFile(path).catch((thrown: unknown) => {
      throw new CountersignError('execution/model-not-found', 'the file of the model cannot be read', { cause: thrown })
    })
    return loadModel(profile, bytes, digest)
  }

  return {
    use: (profile, digest, work) => cache.use(profile, digest, () => load(profile, digest), work),
    close: () => cache.close(),
  }
}
