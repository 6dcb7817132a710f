/** Attestation documents of a PKI of our own, whole or with one thing wrong. */
import { encode } from 'cborg'
import { concat, utf8 } from '../../bytes/bytes.ts'
import { createNodeCrypto } from '../../crypto/node-provider.ts'
import type { AppraisalInput } from '../appraised.ts'
import type { EvidenceItem } from '../evidence-file.ts'
import type { PlacePolicy } from '../place-policy.ts'
import { VENDOR_ROOTS } from '../roots.ts'
import { type ChainLink, createTestKey, issueChain, pinOf, TEST_AT_MS, type TestKey } from '../x509/pki.testing.ts'

const HOUR_MS = 3_600_000
const keys = {
  root: createTestKey('p384', 'nitro root'),
  region: createTestKey('p384', 'nitro region'),
  instance: createTestKey('p384', 'nitro instance'),
  leaf: createTestKey('p384', 'nitro leaf'),
}

/** PCR 0 to 15: the first three and the eighth are set. */
export const TEST_PCRS: ReadonlyMap<number, Uint8Array> = new Map(
  Array.from({ length: 16 }, (_, i) => [i, new Uint8Array(48).fill(i < 3 || i === 8 ? 0x10 + i : 0)]),
)
export const TEST_NONCE = utf8('a challenge of the caller')

export interface NitroChanges {
  readonly fields?: { readonly [name: string]: unknown }
  readonly chain?: { readonly [role in 'root' | 'region' | 'instance' | 'leaf']?: Partial<ChainLink> }
  readonly protectedHeader?: Uint8Array
  readonly unprotectedHeader?: unknown
  readonly signer?: TestKey
  readonly signature?: (good: Uint8Array) => Uint8Array
  readonly payload?: (good: Uint8Array) => Uint8Array
  readonly envelope?: (good: readonly unknown[]) => unknown
}

export function makeNitroChain(chain: NitroChanges['chain'] = {}): readonly Uint8Array[] {
  const [notBeforeMs, notAfterMs] = [TEST_AT_MS - HOUR_MS, TEST_AT_MS + 2 * HOUR_MS]
  return issueChain(
    { subject: 'aws.nitro-enclaves', key: keys.root, ...chain.root },
    { subject: 'us-east-1.aws.nitro-enclaves', key: keys.region, pathLength: 1, ...chain.region },
    { subject: 'i-0.us-east-1.aws.nitro-enclaves', key: keys.instance, pathLength: 0, ...chain.instance },
    { subject: 'i-0-enc1.us-east-1.aws', key: keys.leaf, isCa: false, notBeforeMs, notAfterMs, ...chain.leaf },
  )
}

export function makeNitroDocument(changes: NitroChanges = {}): Uint8Array {
  const [leaf, ...issuers] = makeNitroChain(changes.chain)
  const fields = {
    ...{ module_id: 'i-0-enc1', digest: 'SHA384', timestamp: TEST_AT_MS - 1000, pcrs: TEST_PCRS },
    ...{ certificate: leaf, cabundle: issuers.toReversed() },
    ...{ public_key: utf8('a key'), user_data: utf8('bound'), nonce: TEST_NONCE, ...changes.fields },
  }
  const given = Object.entries(fields).filter(([, value]) => value !== undefined)
  const plain = new Uint8Array(encode(new Map(given)))
  const payload = changes.payload?.(plain) ?? plain
  const header = changes.protectedHeader ?? Uint8Array.of(0xa1, 1, 0x38, 0x22)
  const message = new Uint8Array(encode(['Signature1', header, new Uint8Array(0), payload]))
  const signature = (changes.signer ?? keys.leaf).signRaw(message)
  const parts = [header, changes.unprotectedHeader ?? new Map(), payload, changes.signature?.(signature) ?? signature]
  return new Uint8Array(encode(changes.envelope?.(parts) ?? parts))
}

/** The same document with an end mark in place of the length of its map, as AWS writes it now. */
export function withEndMark(payload: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(0xbf), payload.subarray(1), Uint8Array.of(0xff))
}

export const NITRO_POLICY: PlacePolicy = {
  ...{ tee: 'nitro', profile: 'none', signers: {}, minimum: {}, states: [], advisories: [], allow: [], forbid: [] },
  ...{ preset: undefined, gpus: undefined, require: [], maxAgeMs: HOUR_MS, physical: { clouds: ['aws'], chips: [] } },
  measurements: { pcr0: ['00', '10'.repeat(48)], pcr8: ['18'.repeat(48)] },
}

export function nitroInput(changes: Partial<AppraisalInput> = {}): AppraisalInput {
  const root = makeNitroChain().at(-1) ?? new Uint8Array(0)
  return {
    ...{ crypto: createNodeCrypto(), atMs: TEST_AT_MS, collateral: { items: [] }, policy: NITRO_POLICY },
    ...{ nonce: TEST_NONCE, memory: undefined, roots: { ...VENDOR_ROOTS, nitro: [pinOf(root)] }, ...changes },
  }
}

export const nitroItem = (content: Uint8Array): EvidenceItem => ({ kind: 'nitro', content })
