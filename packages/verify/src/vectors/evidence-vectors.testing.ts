/** Evidence of every kind, sound and with one thing wrong, out of a PKI of our own: what an appraisal must say of it. */
import { type Appraisal, appraiseEvidence } from '../attestation/appraise.ts'
import type { AppraisalInput, TrustedRoots } from '../attestation/appraised.ts'
import { AZURE_CHEATS, AZURE_SOUND } from '../attestation/azure-vtpm/azure-cheats.testing.ts'
import { type AzureOptions, azureEvidence } from '../attestation/azure-vtpm/azure-evidence.testing.ts'
import { azureTdxEvidence } from '../attestation/azure-vtpm/azure-tdx-evidence.testing.ts'
import { formatCollateral, parseCollateral } from '../attestation/collateral.ts'
import { type EvidenceItem, formatEvidence, parseEvidence } from '../attestation/evidence-file.ts'
import { type PlacePolicy, readPlacePolicy } from '../attestation/place-policy.ts'
import { SNP_CHEATS, SNP_SOUND } from '../attestation/sev-snp/sev-snp-cheats.testing.ts'
import { snpEvidence } from '../attestation/sev-snp/sev-snp-evidence.testing.ts'
import { CHEATS as TDX_CHEATS } from '../attestation/tdx/tdx-cheats.testing.ts'
import { buildTdx, planTdx, type TdxPlan } from '../attestation/tdx/tdx-evidence.testing.ts'
import { parseHex, toHex, utf8 } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { createMemory } from '../bytes/memory.ts'
import type { Crypto } from '../crypto/crypto.ts'
import type { ErrorCode } from '../errors.ts'
import { type FormatVector, type FormatVectors, gives } from './format-vector.testing.ts'

/** Evidence, and what it is appraised by. */
export interface Built {
  readonly item: EvidenceItem
  readonly input: AppraisalInput
}

/** Checks that fail, each with its code, and what is shown all the same. */
export interface Expected {
  readonly failing?: { readonly [check: string]: ErrorCode }
  readonly status?: Appraisal['status']
  readonly isGenuine?: boolean
  readonly isKnownCode?: boolean
}

/** A vector of one piece of evidence; sound, and accepted, unless told otherwise. */
export function evidenceVector(name: string, { item, input }: Built, expected: Expected = {}): FormatVector {
  const { failing = {}, isGenuine = true, isKnownCode = true, status = 'accepted' } = expected
  const { atMs, collateral, policy, nonce, roots } = input
  const evidence = { profile: 'none', items: [item], nonce: new Uint8Array(0), beside: {} } as const
  const vector: Json = {
    ...{ evidence: formatEvidence(evidence), collateral: formatCollateral(collateral), atMs },
    ...(policy === undefined ? {} : { policy: policyText(policy) }),
    ...(nonce === undefined ? {} : { nonce: toHex(nonce) }),
    ...(roots === undefined ? {} : { roots: roots as unknown as Json }),
  }
  return gives(name, vector, { status, isGenuine, isKnownCode, failing })
}

/** One that a check of genuineness refuses. */
export function forged(name: string, built: Built, check: string, code: ErrorCode): FormatVector {
  const failing = { [check]: code }
  return evidenceVector(name, built, { failing, status: 'refused', isGenuine: false, isKnownCode: false })
}

/** One that is genuine, and not what the policy asks for. */
export function unwanted(name: string, built: Built, check: string, code: ErrorCode): FormatVector {
  return evidenceVector(name, built, { failing: { [check]: code }, status: 'refused', isKnownCode: false })
}

/** As a place policy is written. */
function policyText({ maxAgeMs, ...policy }: PlacePolicy): Json {
  return JSON.parse(JSON.stringify({ ...policy, maxAgeMinutes: maxAgeMs / 60_000 })) as Json
}

interface Input {
  readonly evidence: Json
  readonly collateral: Json
  readonly policy?: Json
  readonly nonce?: string
  readonly atMs: number
  readonly roots?: TrustedRoots
}

const bytesOf = (value: Json) => utf8(JSON.stringify(value))

/** Appraises the input of a vector. Chains that many vectors of a file share are verified once for each provider. */
function runner(): FormatVectors['run'] {
  const memories = new Map<Crypto, ReturnType<typeof createMemory>>()
  return (crypto, given) => {
    const { evidence, collateral, policy, nonce, atMs, roots } = given as unknown as Input
    const memory = memories.get(crypto) ?? createMemory()
    memories.set(crypto, memory)
    const { status, items, checks } = appraiseEvidence(parseEvidence(bytesOf(evidence)), {
      ...{ crypto, atMs, memory, collateral: parseCollateral(bytesOf(collateral)) },
      policy: policy === undefined ? undefined : readPlacePolicy(policy, 'policy'),
      nonce: nonce === undefined ? undefined : parseHex(nonce),
      ...(roots === undefined ? {} : { roots }),
    })
    const failing = checks.filter(({ result }) => result === 'fail').map(({ name, code }) => [name, code ?? null])
    const [item] = items
    return {
      ...{ status, isGenuine: item?.isGenuine ?? false, isKnownCode: item?.isKnownCode ?? false },
      failing: Object.fromEntries(failing) as Json,
    }
  }
}

const DESCRIPTION =
  'Evidence with collateral, the time, and where there are such a place policy, the challenge, and SHA-256 of root certificates that count in place of the makers’ own. The value is what an appraisal says: its status, what its one item shows, and the checks that fail, with their codes.'

/** The vectors of one kind. */
export function evidenceVectors(file: string, what: string, cases: readonly FormatVector[]): FormatVectors {
  return { file: `evidence-${file}`, description: `${what}. ${DESCRIPTION}`, cases, run: runner() }
}

export function processorVectors(): readonly FormatVectors[] {
  return [
    evidenceVectors('tdx', 'Quotes of Intel TDX', tdxCases()),
    evidenceVectors('sev-snp', 'Reports of AMD SEV-SNP', snpCases()),
    evidenceVectors('azure-vtpm', 'Virtual TPMs of Azure', azureCases()),
  ]
}

function tdx(change: (plan: TdxPlan) => void = () => undefined, version: 4 | 5 = 5): Built {
  const plan = planTdx(version)
  change(plan)
  return buildTdx(plan)
}

function tdxCases(): readonly FormatVector[] {
  const wrong = (what: string, make: typeof forged) => {
    const cheat = TDX_CHEATS.find((each) => each.what === what)
    if (cheat === undefined) throw new Error(`no cheat of TDX is called ${what}`)
    return make(`${cheat.check}: ${what}`, tdx(cheat.change), `tdx/${cheat.check}`, cheat.code)
  }
  return [
    evidenceVector('version 5', tdx()),
    evidenceVector('version 4', tdx(undefined, 4)),
    wrong('an SGX quote', forged),
    wrong('another PCK signer', forged),
    wrong('a revoked PCK', forged),
    wrong('a quote of another key', forged),
    wrong('a PCE below all levels', forged),
    wrong('a domain for debugging', forged),
    wrong('other firmware', unwanted),
  ]
}

function snpCases(): readonly FormatVector[] {
  const sound = (what: string) => evidenceVector(what, snpEvidence(find(SNP_SOUND, ([each]) => each === what)[1]))
  const wrong = (what: string, make: typeof forged, code: ErrorCode) => {
    const [check, , options] = find(SNP_CHEATS, ([, each]) => each === what)
    return make(`${check}: ${what}`, snpEvidence(options), `sev-snp/${check}`, code)
  }
  return [
    ...['Milan, version 2', 'Genoa, version 5', 'Turin, version 5', 'a VLEK', 'bytes after the report'].map(sound),
    wrong('version 1', forged, 'evidence/unsupported'),
    wrong('a root that is not pinned', forged, 'certificate/wrong-chain'),
    wrong('the intermediate is revoked', forged, 'certificate/revoked'),
    wrong('a report of older firmware', forged, 'evidence/mismatch'),
    wrong('the certificate of another chip', forged, 'evidence/mismatch'),
    wrong('signed by another key', forged, 'signature/invalid'),
    wrong('the host may debug the guest', forged, 'evidence/refused'),
    wrong('not the most privileged', unwanted, 'evidence/refused'),
    wrong('other code', unwanted, 'evidence/refused'),
  ]
}

function azureCases(): readonly FormatVector[] {
  const built = (options: AzureOptions) => azureEvidence(options)
  const wrong = (what: string, make: typeof forged, code: ErrorCode) => {
    const [check, , options] = find(AZURE_CHEATS, ([, each]) => each === what)
    return make(`${check}: ${what}`, built(options), `azure-vtpm/${check}`, code)
  }
  return [
    evidenceVector('SEV-SNP', built(find(AZURE_SOUND, ([each]) => each === 'on Milan')[1])),
    evidenceVector('TDX', azureTdxEvidence()),
    wrong('the guest asked for the report', forged, 'evidence/mismatch'),
    wrong('a hash of something else', forged, 'evidence/mismatch'),
    wrong('other registers put in', forged, 'signature/invalid'),
    wrong('a value is missing', forged, 'evidence/mismatch'),
    wrong('one of TDX is named', forged, 'evidence/refused'),
    wrong('one of two differs', unwanted, 'evidence/refused'),
  ]
}

function find<T>(cases: readonly T[], isMeant: (each: T) => boolean): T {
  const found = cases.find(isMeant)
  if (found === undefined) throw new Error('there is no such case')
  return found
}
