/** Where tests find llama.cpp: as installed on this machine, else where the engines' own tests have put it. */
import { fileURLToPath } from 'node:url'
import { enginesFolder, findLlama, installLlama } from '@countersign/engines'

const ASIDE = fileURLToPath(new URL('../../../node_modules/.engines/', import.meta.url))

/** Makes the engine findable for this process; says why not where it cannot be. */
export async function provideLlama(): Promise<string | undefined> {
  for (const folder of [enginesFolder(), ASIDE]) {
    const isThere = await findLlama(folder).then(
      () => true,
      () => false,
    )
    if (isThere) return use(folder)
  }
  return await installLlama(ASIDE).then(
    () => use(ASIDE),
    (thrown: Error) => `llama.cpp is not installed, and cannot be: ${thrown.message}`,
  )
}

function use(folder: string): undefined {
  process.env.COUNTERSIGN_ENGINES = folder
}
