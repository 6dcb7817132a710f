/** Evidence as files come: in any form that is known, and as providers answer when they are asked for it. */
import { EVIDENCE_SOURCES } from '@countersign/gateway'
import {
  EVIDENCE_FORMAT,
  type ImportedEvidence,
  type ImportOptions,
  importEvidence,
  type Json,
  type ProfileName,
  ShapeError,
} from '@countersign/verify'

/**
 * Reads one file. With a profile, JSON is first read as that provider's answer, with what it says beside its evidence; what is of
 * another shape is read as any other file.
 *
 * @throws {CountersignError} `evidence/unsupported` when nothing is recognised, and what reading the file throws
 */
export function readEvidence(file: Uint8Array, options: ImportOptions, profile?: ProfileName): ImportedEvidence {
  const json = parseJsonText(file)
  if (!isRecord(json) || json.format === EVIDENCE_FORMAT) return importEvidence(file, options)
  const provider = profile ?? (isOfTinfoil(json) ? 'tinfoil' : 'none')
  const answer = provider === 'none' ? undefined : readAnswer(file, provider)
  // How keys are bound, nobody said where no profile was named.
  return answer === undefined ? importEvidence(file, options) : withProfile(answer, profile ?? 'none')
}

type Answer = ReturnType<(typeof EVIDENCE_SOURCES)[ProfileName]['read']>

function withProfile({ items, beside }: Answer, profile: ProfileName): ImportedEvidence {
  return { evidence: { profile, items, nonce: new Uint8Array(0), beside }, collateral: { items: [] } }
}

function readAnswer(body: Uint8Array, profile: ProfileName): Answer | undefined {
  try {
    return EVIDENCE_SOURCES[profile].read({ body, shown: undefined })
  } catch (thrown) {
    if (thrown instanceof ShapeError) return undefined
    throw thrown
  }
}

/** The one form that is compressed, and names itself. */
function isOfTinfoil({ format, body }: { readonly [name: string]: Json }): boolean {
  return typeof body === 'string' && typeof format === 'string' && /\/(tdx|sev-snp)-guest\//.test(format)
}

/** The value of a JSON text; `undefined` where it is none. Parsers that matter read the bytes again, strictly. */
export function parseJsonText(file: Uint8Array): Json | undefined {
  const text = new TextDecoder().decode(file)
  if (!/^\s*[[{]/.test(text)) return undefined
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined
  }
}

export function isRecord(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
