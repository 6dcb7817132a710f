/** What looking for evidence in a file came to. */
import { equalBytes } from '../../bytes/bytes.ts'
import { CountersignError } from '../../errors.ts'
import type { CollateralBundle, CollateralItem } from '../collateral.ts'
import type { EvidenceItem, UnverifiedEvidence } from '../evidence-file.ts'
import type { EvidenceKind } from '../evidence-kind.ts'

/** Evidence, and what came along that is collateral. Nothing of it is checked. */
export interface ImportedEvidence {
  readonly evidence: UnverifiedEvidence
  readonly collateral: CollateralBundle
}

export interface ImportOptions {
  /** What the file is, where its bytes do not tell, or tell of several kinds. */
  readonly kind?: EvidenceKind | undefined
  /** What is given beside the file: reports of GPUs have their certificates there. */
  readonly collateral?: CollateralBundle | undefined
}

/** Evidence alone, or why what was found is none. */
export type Found = ImportedEvidence | { readonly refusal: string }

/** Items that came bare: without a challenge, and without anything beside them. */
export function bare(items: readonly EvidenceItem[], collateral: readonly CollateralItem[] = []): ImportedEvidence {
  const evidence = { profile: 'none', items, nonce: new Uint8Array(0), beside: {} } as const
  return { evidence, collateral: { items: collateral } }
}

/**
 * The one of several readings that is evidence; `undefined` where there were none.
 *
 * @throws {CountersignError} `evidence/unsupported` when several differ, or none is anything that is appraised
 */
export function theOnly(found: readonly Found[]): ImportedEvidence | undefined {
  const imported = found.filter((each) => 'evidence' in each)
  const [first, ...others] = imported
  if (first !== undefined) {
    const kinds = others.filter((each) => !isSame(each, first)).map(kindsOf)
    if (kinds.length === 0) return first
    throw new CountersignError(
      'evidence/unsupported',
      `the file can be read as several pieces of evidence (${[kindsOf(first), ...kinds].join('; ')}): give one of them alone, or say its kind`,
    )
  }
  const [refused] = found.filter((each) => 'refusal' in each)
  if (refused === undefined) return undefined
  throw new CountersignError('evidence/unsupported', `the file has ${refused.refusal}`)
}

function isSame({ evidence: a }: ImportedEvidence, { evidence: b }: ImportedEvidence): boolean {
  const isSameItem = (item: EvidenceItem, i: number) => {
    const other = b.items[i]
    return other !== undefined && other.kind === item.kind && equalBytes(other.content, item.content)
  }
  return a.items.length === b.items.length && a.items.every(isSameItem)
}

function kindsOf({ evidence }: ImportedEvidence): string {
  return evidence.items.map(({ kind }) => kind).join(', ')
}
