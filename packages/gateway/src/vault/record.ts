/** A vault record: a receipt's content, sealed under a key of its own. @spec spec/vault.md */
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { CountersignError, concat, parseUtf8, utf8 } from '@countersign/verify'
import { createRandom, deriveKey } from '../data/derivation.ts'

/** Content by the label that its salt is derived with: `request`, `response`, … */
export type VaultContent = ReadonlyMap<string, Uint8Array>

const NONCE_BYTES = 12
const TAG_BYTES = 16
const random = /* @__PURE__ */ createRandom()

/** The seed of a receipt's salts, from its vault key. 32 bytes. */
export function saltSeed(key: Uint8Array, receipt: Uint8Array): Uint8Array {
  return deriveKey(key, receipt, 'countersign-salt-seed-v1')
}

/** Seals content: nonce ‖ AES-256-GCM ciphertext ‖ tag, with the receipt's id as associated data. */
export function sealContent(key: Uint8Array, receipt: Uint8Array, content: VaultContent): Uint8Array {
  const nonce = random(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', contentKey(key, receipt), nonce).setAAD(receipt)
  return concat(nonce, cipher.update(formatContent(content)), cipher.final(), cipher.getAuthTag())
}

/**
 * Opens sealed content.
 *
 * @throws {CountersignError} `vault/wrong-key` when key, receipt and record do not belong together
 */
export function openContent(key: Uint8Array, receipt: Uint8Array, record: Uint8Array): VaultContent {
  const end = record.length - TAG_BYTES
  try {
    const decipher = createDecipheriv('aes-256-gcm', contentKey(key, receipt), record.subarray(0, NONCE_BYTES))
    decipher.setAAD(receipt).setAuthTag(record.subarray(end))
    return parseContent(concat(decipher.update(record.subarray(NONCE_BYTES, end)), decipher.final()))
  } catch {
    throw new CountersignError('vault/wrong-key', 'the vault record does not open with the key of its receipt')
  }
}

function contentKey(key: Uint8Array, receipt: Uint8Array): Uint8Array {
  return deriveKey(key, receipt, 'countersign-vault-content-v1')
}

/** Each part: length of its label (1 byte), label, length of its bytes (4, big-endian), bytes. */
function formatContent(content: VaultContent): Uint8Array {
  const parts: Uint8Array[] = []
  for (const [label, bytes] of content) {
    const name = utf8(label)
    const lengths = new DataView(new ArrayBuffer(4))
    lengths.setUint32(0, bytes.length)
    parts.push(Uint8Array.of(name.length), name, new Uint8Array(lengths.buffer), bytes)
  }
  return concat(...parts)
}

function parseContent(plain: Uint8Array): VaultContent {
  const content = new Map<string, Uint8Array>()
  const view = new DataView(plain.buffer, plain.byteOffset, plain.length)
  for (let offset = 0; offset < plain.length; ) {
    const nameEnd = offset + 1 + view.getUint8(offset)
    const start = nameEnd + 4
    const end = start + view.getUint32(nameEnd)
    if (end > plain.length) throw new CountersignError('vault/wrong-key', 'a vault record is cut short')
    content.set(parseUtf8(plain.subarray(offset + 1, nameEnd)), plain.slice(start, end))
    offset = end
  }
  return content
}
