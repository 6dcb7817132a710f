/** Keys of data subjects in use: asked for once, and kept at hand, so that the hot path does not ask again. */
import type { VaultKey } from './key-store.ts'

/** Most subjects whose keys are at hand. */
export const MAX_SUBJECT_KEYS = 4096

export interface SubjectKeys {
  /** The key of a subject, by its tag. Rejects like what it is asked from, and then asks again the next time. */
  take(tag: Uint8Array): VaultKey | Promise<VaultKey>
  /**
   * Forgets the key of a subject, also one that is on its way: whoever takes from here on gets one that is asked for after
   * this call.
   */
  forget(tag: Uint8Array): void
}

/** `ask` gets a key that is durable. Those that were not used for longest are forgotten first. */
export function createSubjectKeys(ask: (tag: Uint8Array) => Promise<VaultKey>): SubjectKeys {
  const known = new Map<string, VaultKey | Promise<VaultKey>>()
  const put = (name: string, key: VaultKey | Promise<VaultKey>) => {
    known.delete(name)
    known.set(name, key)
    if (known.size > MAX_SUBJECT_KEYS) known.delete(known.keys().next().value ?? '')
  }
  return {
    take(tag) {
      const name = nameOf(tag)
      const found = known.get(name)
      if (found !== undefined) {
        put(name, found)
        return found
      }
      const asked = ask(tag)
      put(name, asked)
      // What was forgotten meanwhile, or asked for anew, stays so.
      asked.then(
        (key) => known.get(name) === asked && known.set(name, key),
        () => known.get(name) === asked && known.delete(name),
      )
      return asked
    },
    forget: (tag) => void known.delete(nameOf(tag)),
  }
}

function nameOf(tag: Uint8Array): string {
  return Buffer.from(tag).toString('base64')
}
