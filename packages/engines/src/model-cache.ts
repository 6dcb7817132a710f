/** Models that stay loaded between uses. */
import type { LoadedModel } from './model.ts'
import type { Profile } from './profile.ts'

interface Entry {
  readonly model: Promise<LoadedModel>
  users: number
}

/**
 * Keeps up to `limit` models loaded, those used last; more only while more are in use at once.
 *
 * Entries are named by profile and digest, so that one name never means two things.
 */
export class ModelCache {
  readonly #limit: number
  /** In the order of last use. */
  readonly #entries = new Map<string, Entry>()

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Runs `work` on the model, loaded by `load` unless it still is. It stays loaded until `work` is done. */
  async use<T>(
    profile: Profile,
    digest: string,
    load: () => Promise<LoadedModel>,
    work: (model: LoadedModel) => Promise<T>,
  ): Promise<T> {
    const key = `${profile.id} ${digest}`
    const entry = this.#entries.get(key) ?? { model: load(), users: 0 }
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    entry.users++
    try {
      return await work(await this.#loaded(key, entry))
    } finally {
      entry.users--
      await this.#trim(this.#limit)
    }
  }

  /** Closes every model that is not in use. */
  async close(): Promise<void> {
    await this.#trim(0)
  }

  /** What could not be loaded is forgotten, and tried again next time. */
  async #loaded(key: string, entry: Entry): Promise<LoadedModel> {
    try {
      return await entry.model
    } catch (thrown) {
      if (this.#entries.get(key) === entry) this.#entries.delete(key)
      throw thrown
    }
  }

  async #trim(limit: number): Promise<void> {
    for (const [key, { model, users }] of this.#entries) {
      if (this.#entries.size <= limit) return
      if (users > 0) continue
      this.#entries.delete(key)
      await (await model).close()
    }
  }
}
