/** What a provider's signature on an answer covers, by the word of its scheme. @spec spec/inference.md */
import type { Json } from '../bytes/json.ts'
import { type Fields, type Path, ShapeError } from '../bytes/shape.ts'

/** Parts of an answer that a provider's signature may cover, or that one might think it covers. */
export const SIGNED_PARTS = [
  'request-bytes',
  'request-members',
  'answer-bytes',
  'answer-content',
  'time',
  'nonce',
  'usage',
  'finish-reason',
  'served-model',
] as const
export type SignedPart = (typeof SIGNED_PARTS)[number]

/** What signatures of a scheme cover, and what they leave out. Nothing of the signature itself is checked. */
export interface SignatureCoverage {
  readonly scheme: string
  readonly covers: readonly SignedPart[]
  readonly doesNotCover: readonly SignedPart[]
}

const NAME = { maxLength: 128, pattern: /^[!-~]+$/ }

/** Reads the coverage of a statement. */
export function readSignatureCoverage(fields: Fields): SignatureCoverage {
  const coverage = {
    scheme: fields.text('scheme', NAME),
    covers: fields.list('covers', SIGNED_PARTS.length, readSignedPart),
    doesNotCover: fields.list('doesNotCover', SIGNED_PARTS.length, readSignedPart),
  }
  fields.end()
  return coverage
}

function readSignedPart(item: Json, path: Path): SignedPart {
  const known = SIGNED_PARTS.find((part) => part === item)
  if (known === undefined) throw new ShapeError('shape/bad-value', path, 'not a part that is signed')
  return known
}
