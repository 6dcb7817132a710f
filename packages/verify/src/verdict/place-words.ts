/** What the row of `place` says: its grade, whom one must trust, and what stays open. */
import type { EvidenceKind } from '../attestation/evidence-kind.ts'
import { isTeeKind } from '../attestation/vocabulary.ts'
import type { Grade } from '../trust/requirement.ts'
import type { PlaceBasis } from './place-basis.ts'

const NOT_WHERE = 'in which country the machine stands, or who runs it: hardware does not know that'
const WHO_TOUCHES = 'that nobody with the machine in hand broke it: who can touch it is not known'
const WHO_HOLDS_KEY =
  'that the bound key is nowhere else: the code that was measured decides whether it can leave the machine'
const MAX_NOTES = 3
/** Nothing was measured there, or the register is for other uses. */
const UNUSED = /^(0*|f*)$/
const MAX_DATE_MS = 8_640_000_000_000_000

/** Kinds that are a service's word on evidence that it alone saw. */
const TOKENS: readonly EvidenceKind[] = ['confidential-space', 'maa', 'nvidia-nras']

/** Whose word each kind rests on. */
const VENDORS: { readonly [kind in EvidenceKind]: string } = {
  tdx: 'Intel, maker of the processor',
  'sev-snp': 'AMD, maker of the processor',
  nitro: 'Amazon, maker and operator of the Nitro hardware',
  'nvidia-spdm': 'NVIDIA, maker of the GPU',
  'nvidia-nras': 'NVIDIA’s attestation service',
  'azure-vtpm': 'Microsoft, maker of the paravisor with the virtual TPM',
  'confidential-space': 'Google’s attestation service',
  maa: 'Microsoft’s attestation service',
}

/** A service's token stands for evidence that nobody else can look at. */
export function gradeOf({ repeated, chosen }: PlaceBasis): Grade {
  const counted = repeated.items.filter(({ kind }) => isTeeKind(kind) || chosen.policy.gpus !== undefined)
  return counted.some(({ kind }) => TOKENS.includes(kind)) ? 'provider-signed' : 'hardware-attested'
}

/** Why it holds. */
export function reasonOf(
  { repeated, chosen, answer }: PlaceBasis,
  { isOperatorsWord }: { readonly isOperatorsWord: boolean },
): string {
  const kinds = [...new Set(repeated.items.map(({ kind }) => kind))].join(' and ')
  const whose = chosen.by === 'operator' ? 'the manifest of the operator' : `the trust file (${chosen.name})`
  const what = isOperatorsWord ? 'served the connection of this answer' : 'signed this answer'
  const notes = [...new Set(repeated.notes)].slice(0, MAX_NOTES)
  const noted = notes.length === 0 ? '' : `. Noted: ${notes.join(' ')}`
  const at = isoTime(repeated.atMs)
  const { statement } = answer.inference.deployment
  const policy = chosen.by === 'operator' ? `${whose}, statement ${statement},` : whose
  return `by ${kinds} evidence of ${at}, genuine hardware ran code that ${policy} names, and bound the key that ${what}${noted}`
}

/** Whom one must trust: makers of hardware, and the operator where it chose what is enough. */
export function trustedFor(
  { repeated, chosen, answer, loggedBy }: PlaceBasis,
  { isOperatorsWord }: { readonly isOperatorsWord: boolean },
): readonly string[] {
  const vendors = [...new Set(repeated.items.map(({ kind }) => VENDORS[kind]))]
  const { name } = answer.operator
  return [
    ...vendors,
    ...(chosen.by === 'operator' ? [`operator ${name}, whose policy says which code is the right one`] : []),
    ...(isOperatorsWord ? [`operator ${name}, who recorded the certificate of the connection`] : []),
    ...(loggedBy?.witnesses ?? []).map((witness) => `witness ${witness}`),
  ]
}

/** What stays open whatever the facts are. */
export function nextToFacts({ repeated, chosen }: PlaceBasis): readonly string[] {
  return [
    NOT_WHERE,
    ...unnamedRegisters(repeated, chosen),
    ...(repeated.physicalTrust === 'unknown' ? [WHO_TOUCHES] : []),
    ...(repeated.keys.length > 0 ? [WHO_HOLDS_KEY] : []),
    ...repeated.doesNotProve,
  ]
}

/** Registers of which the policy names no value. One that names the firmware alone looks strict, and lets any program run on it. */
function unnamedRegisters({ items }: PlaceBasis['repeated'], { policy }: PlaceBasis['chosen']): readonly string[] {
  const measured = items
    .filter(({ kind }) => isTeeKind(kind))
    .flatMap(({ measurements }) => Object.entries(measurements))
  const open = measured.filter(([name, value]) => policy.measurements[name] === undefined && !UNUSED.test(value))
  const names = [...new Set(open.map(([name]) => name))]
  if (names.length === 0) return []
  return [`that what was measured as ${names.join(', ')} is what it should be: the policy names no value of it`]
}

/** A time for people. One that a witness or a caller gives may lie beyond what a date can be. */
export function isoTime(timeMs: number): string {
  return new Date(Math.min(timeMs, MAX_DATE_MS)).toISOString()
}
