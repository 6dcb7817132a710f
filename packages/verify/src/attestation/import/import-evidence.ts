/** Evidence in the forms in which people have it. @spec spec/evidence.md, "Other files" */
import { utf8 } from '../../bytes/bytes.ts'
import { CountersignError } from '../../errors.ts'
import { ofBytes, ofText } from './bare-forms.ts'
import { bare, type Found, type ImportedEvidence, type ImportOptions, theOnly } from './found-evidence.ts'
import { ofJson } from './json-forms.ts'
import { jsonIn } from './json-in.ts'
import { readingsOf, textIn } from './text-forms.ts'

export type { ImportedEvidence, ImportOptions }

/**
 * Makes evidence of a file as hardware, guests, tools, services and providers hand it out: bytes; hexadecimal, base64 or base64url
 * text; JSON around those; an evidence file of ours. What a file is its bytes tell, or `kind`.
 *
 * Proves nothing, and drops nothing that a signature covers: appraise what comes of it. What can be read in two ways is refused.
 *
 * @throws {CountersignError} `evidence/unsupported` when nothing is recognised, several things are, or what is recognised is not
 *   appraised; `collateral/missing` for the report of a GPU without its certificates; and what reading a form that is known throws
 */
export function importEvidence(file: Uint8Array, options: ImportOptions = {}): ImportedEvidence {
  const found = theOnly(look(file, options))
  if (found !== undefined) return found
  if (options.kind !== undefined) return bare([{ kind: options.kind, content: asSaid(file) }])
  throw new CountersignError(
    'evidence/unsupported',
    'what kind of evidence this is, its bytes do not tell: it is none that is known here, or its kind has to be said',
  )
}

function look(file: Uint8Array, options: ImportOptions): readonly Found[] {
  const json = jsonIn(file)
  if (json !== undefined) return ofJson(json, file, options)
  const text = textIn(file)
  return text === undefined ? ofBytes(file, options) : ofText(text, options)
}

/** What the caller vouches for: the bytes that a text stands for, or the file as it is. */
function asSaid(file: Uint8Array): Uint8Array {
  const text = jsonIn(file) === undefined ? textIn(file) : undefined
  if (text === undefined) return file
  const [reading] = readingsOf(text)
  return reading ?? utf8(text.trim())
}
