/** Keeps lists of signed notes within bounds: how long a note is, whoever signed it chose. */
import { MAX_KEPT_NOTE_CHARACTERS } from './limits.ts'

/** The last of them, at most `count`, whose notes are not too long together; the very last one always. */
export function newestWithin<T extends { readonly note: string }>(items: readonly T[], count: number): readonly T[] {
  let characters = 0
  const first = items.findLastIndex(({ note }, i) => {
    characters += note.length
    return i < items.length - 1 && (characters > MAX_KEPT_NOTE_CHARACTERS || items.length - i > count)
  })
  return items.slice(first + 1)
}
