/** What shows a stranger that an entry differed. */
import { formatTensor } from '@countersign/verify'
import type { Judgement } from './judge-entry.ts'

/**
 * Files by name: the dossier as it came, which `countersign verify --execute` takes, and what running the model again gave
 * here.
 */
export function evidenceFiles(
  { entry, execution }: Judgement,
  dossier: Uint8Array,
): readonly (readonly [string, string])[] {
  const name = `evidence/${entry.index}`
  const outputs = execution?.outcome === 'ran' ? { outputs: execution.outputs.map(formatTensor) } : {}
  const found = { entry, execution: execution === undefined ? null : { ...execution, ...outputs } }
  return [
    [`${name}.dossier.json`, Buffer.from(dossier).toString('utf8')],
    [`${name}.execution.json`, `${JSON.stringify(found, null, 2)}\n`],
  ]
}
