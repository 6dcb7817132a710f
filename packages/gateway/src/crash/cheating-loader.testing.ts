/** Node's hooks that change one line of one module as it is loaded. They run in a thread of their own. */
import type { InitializeHook, LoadHook } from 'node:module'
import type { CheatingBuild } from './cheating-build.testing.ts'

type Change = Pick<CheatingBuild, 'module' | 'line' | 'instead'>

let change: Change | undefined

export const initialize: InitializeHook<Change> = (data) => {
  change = data
}

export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context)
  if (change === undefined || !url.endsWith(change.module)) return loaded
  const parts = String(loaded.source).split(change.line)
  // A cheat that no longer fits would let its detector look good.
  if (parts.length !== 2) throw new Error(`${change.module} has "${change.line}" ${parts.length - 1} times`)
  return { ...loaded, source: parts.join(change.instead) }
}
