/** All vectors as files: what `tools/make-vectors.ts` writes and the tests read back. */
import type { Json } from '../bytes/json.ts'
import { verdictCases } from '../verdict/verdict-cases.testing.ts'
import { auditVectors } from './audit-vectors.testing.ts'
import { byteVectors } from './byte-vectors.testing.ts'
import { deviceVectors } from './device-vectors.testing.ts'
import { processorVectors } from './evidence-vectors.testing.ts'
import type { FormatVectors } from './format-vector.testing.ts'
import { independenceVectors } from './independence-vectors.testing.ts'
import { logVectors } from './log-vectors.testing.ts'
import { partyVectors } from './party-vectors.testing.ts'
import { placeVectors } from './place-vectors.testing.ts'
import { successorVectors } from './successor-vectors.testing.ts'
import { treeVectors } from './tree-vectors.testing.ts'
import { trustVectors } from './trust-vectors.testing.ts'
import { witnessVectors } from './witness-vectors.testing.ts'

/** The vectors of every small format. */
export function formatVectors(): readonly FormatVectors[] {
  return [
    ...byteVectors(),
    ...logVectors(),
    ...treeVectors(),
    ...auditVectors(),
    ...trustVectors(),
    partyVectors(),
    ...placeVectors(),
    ...processorVectors(),
    ...deviceVectors(),
    successorVectors(),
    ...witnessVectors(),
    ...independenceVectors(),
  ]
}

/** Contents by path below `vectors/`. */
export function vectorFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, string>()
  for (const { name, ...rest } of verdictCases()) add(files, `verdict/${name}.json`, rest as unknown as Json)
  for (const { file, description, cases } of formatVectors()) {
    add(files, `${file}.json`, { description, cases: cases as unknown as Json })
  }
  return files
}

function add(files: Map<string, string>, path: string, value: Json): void {
  if (files.has(path)) throw new Error(`two vectors for ${path}`)
  files.set(path, `${JSON.stringify(value, null, 2)}\n`)
}
