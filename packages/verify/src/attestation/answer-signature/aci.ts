/** Receipts of Private AI Gateways: a signed log of what happened to one request. */
import { parseHex, toHex, utf8 } from '../../bytes/bytes.ts'
import { canonicalJson } from '../../bytes/canonical-json.ts'
import type { Json } from '../../bytes/json.ts'
import { Fields, type Path } from '../../bytes/shape.ts'
import type { Crypto } from '../../crypto/crypto.ts'
import { recoverSecp256k1 } from '../../crypto/ethereum.ts'
import { CountersignError } from '../../errors.ts'
import { ethereumAddress } from '../binding/aci-key-set.ts'
import type { BoundKey } from '../binding/binding-profile.ts'
import type { AnswerBytes, AnswerSignature } from './answer-signature.ts'

export interface AciSignature {
  readonly scheme: 'aci'
  /** The whole receipt, its signature in it, as it came. */
  readonly receipt: Json
}

const MAX_EVENTS = 256
const MS_PER_SECOND = 1000
const R_AND_S_BYTES = 64
const HASH = /^sha256:[0-9a-f]{64}$/

/** Algorithms of receipts, and how long their signatures are. */
const SIGNATURE_BYTES: { readonly [algorithm: string]: number } = { ed25519: 64, 'ecdsa-secp256k1': 65 }

/** Members of a receipt: the format has no others. @spec ACI (draft) aci/1 §3.2, §8.2 */
const MEMBERS = [
  'receipt_id',
  'chat_id',
  'model',
  'workload_id',
  'workload_keyset_digest',
  'endpoint',
  'method',
] as const

interface Hashes {
  readonly received: string
  readonly forwarded: string | undefined
  readonly returned: string
  readonly servedAtSeconds: number
}

/**
 * Proves that a key which evidence binds signed a receipt for exactly this request and this answer, or throws.
 *
 * What a receipt says of upstreams is the gateway's own word, and is not looked at.
 *
 * @spec ACI (draft) aci/1 §8.5, §10.2
 * @throws {CountersignError} `signature/unknown-key`, `signature/malformed`, `evidence/mismatch`, `evidence/malformed`,
 *   `evidence/unsupported`, `shape/*`, `json/*`
 */
export function verifyAci(
  crypto: Crypto,
  keys: readonly BoundKey[],
  { request, response }: AnswerBytes,
  { receipt }: AciSignature,
): AnswerSignature {
  const hashes = readReceipt(receipt)
  const signer = findSigner(crypto, keys, receipt)
  requireHash(crypto, request, hashes.received, 'request')
  requireHash(crypto, response, hashes.returned, 'answer')
  const isChanged = hashes.forwarded !== hashes.received
  return {
    signer,
    covers: [
      'the exact bytes of the request',
      'the exact bytes of the answer',
      'the time, to the second, by the signer’s clock',
    ],
    doesNotCover: [
      ...['usage', 'a nonce', 'what the upstream ran: of it the signer only repeats what it was told'],
      ...(isChanged ? ['the request that the model got: the signer says that it passed on another one'] : []),
    ],
    signedAtMs: hashes.servedAtSeconds * MS_PER_SECOND,
  }
}

function readReceipt(receipt: Json): Hashes {
  const fields = new Fields(receipt, 'receipt')
  fields.literal('api_version', 'aci/1')
  for (const name of MEMBERS) fields.any(name)
  fields.object('signature')
  const servedAtSeconds = fields.integer('served_at')
  const events = fields.list('event_log', MAX_EVENTS, readEvent)
  fields.end()
  if (
    events.some(({ seq }, i) => seq <= (events[i - 1]?.seq ?? -1)) ||
    events[0]?.seq !== 0 ||
    events[0].type !== 'request.received'
  ) {
    throw new CountersignError('evidence/malformed', 'the events of the receipt are not in order')
  }
  return {
    received: only(events, 'request.received').hash('body_hash'),
    forwarded: events.find(({ type }) => type === 'request.forwarded')?.hash('body_hash'),
    returned: only(events, 'response.returned').hash('wire_hash'),
    servedAtSeconds,
  }
}

interface Event {
  readonly seq: number
  readonly type: string
  hash(name: string): string
}

/** An event's other members are of no concern here, and covered by the signature. */
function readEvent(item: Json, path: Path): Event {
  const fields = new Fields(item, path)
  const hash = (name: string) => fields.text(name, { pattern: HASH })
  return { seq: fields.integer('seq'), type: fields.text('type', { maxLength: 128 }), hash }
}

function only(events: readonly Event[], type: string): Event {
  const [event, another] = events.filter((each) => each.type === type)
  if (event !== undefined && another === undefined) return event
  throw new CountersignError('evidence/malformed', `the receipt has not exactly one event ${type}`)
}

/** The signature covers the whole receipt but its own value. */
function findSigner(crypto: Crypto, keys: readonly BoundKey[], receipt: Json): BoundKey {
  const whole = receipt as { readonly [name: string]: Json }
  const fields = new Fields(whole.signature, 'receipt.signature')
  const algorithm = fields.text('algo', { maxLength: 64 })
  const keyId = fields.text('key_id', { maxLength: 256 })
  const length = Object.hasOwn(SIGNATURE_BYTES, algorithm) ? SIGNATURE_BYTES[algorithm] : undefined
  if (length === undefined)
    throw new CountersignError('evidence/unsupported', 'a receipt is signed with ed25519 or ecdsa-secp256k1')
  const signature = parseHex(fields.text('value', { maxLength: 2 * length }), length)
  fields.end()
  const message = utf8(canonicalJson({ ...whole, signature: { algo: algorithm, key_id: keyId } }))
  const signer =
    algorithm === 'ed25519' ? byEd25519(crypto, keys, message, signature) : byAddress(crypto, keys, message, signature)
  if (signer !== undefined) return signer
  throw new CountersignError('signature/unknown-key', 'no key that evidence binds signed this receipt as it is')
}

function byEd25519(
  crypto: Crypto,
  keys: readonly BoundKey[],
  message: Uint8Array,
  signature: Uint8Array,
): BoundKey | undefined {
  return keys.find(
    (key) => key.use === 'ed25519' && crypto.ed25519Accepts(parseHex(key.publicKey, 32), message, signature),
  )
}

function byAddress(
  crypto: Crypto,
  keys: readonly BoundKey[],
  message: Uint8Array,
  signature: Uint8Array,
): BoundKey | undefined {
  const v = signature[R_AND_S_BYTES] ?? 0
  const parity = v >= 27 ? v - 27 : v
  if (parity > 1) throw new CountersignError('signature/malformed', 'the signature does not end in 0, 1, 27 or 28')
  const publicKey = recoverSecp256k1(crypto.sha256(message), signature.subarray(0, R_AND_S_BYTES), parity === 1)
  if (publicKey === undefined) return undefined
  const address = toHex(ethereumAddress(publicKey))
  return keys.find((key) => key.use === 'ethereum-address' && key.address === address)
}

function requireHash(crypto: Crypto, bytes: Uint8Array, hash: string, what: string): void {
  if (`sha256:${toHex(crypto.sha256(bytes))}` === hash) return
  throw new CountersignError('evidence/mismatch', `the receipt is for another ${what}`)
}
