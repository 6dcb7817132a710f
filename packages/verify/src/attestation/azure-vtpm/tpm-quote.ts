/**
 * A quote of a TPM: what it says of its registers, and the signature. All of it is signed. Numbers are big-endian.
 *
 * @spec TCG TPM 2.0 Library, Part 2: Structures, TPMS_ATTEST (§10.12.12), TPMT_SIGNATURE (§11.3.4)
 */
import { CountersignError } from '../../errors.ts'
import { ByteReader } from '../byte-reader.ts'

/** Registers of one bank. */
export const TPM_REGISTERS = 24

export interface TpmQuote {
  /** Name of the key that signed, as the TPM knows it. */
  readonly qualifiedSigner: Uint8Array
  /** What whoever asked for the quote gave: here is the challenge. */
  readonly extraData: Uint8Array
  /** Milliseconds that the TPM was powered, in all; no time of day. */
  readonly clockMs: bigint
  readonly resetCount: number
  readonly restartCount: number
  /** Whether the clock cannot have gone backwards. */
  readonly isClockSafe: boolean
  readonly firmwareVersion: bigint
  /** Numbers of the registers that were quoted, in their order. */
  readonly registers: readonly number[]
  /** SHA-256 of their values, joined. */
  readonly registerDigest: Uint8Array
}

/** Real ones have about 140 bytes. */
const MAX_QUOTE_BYTES = 1024

const GENERATED_BY_TPM = 0xff54_4347
const ATTEST_QUOTE = 0x8018
const SHA256 = 0x000b
const RSASSA = 0x0014
const DIGEST_BYTES = 32

/**
 * Reads a quote over registers of the SHA-256 bank alone.
 *
 * @throws {CountersignError} `evidence/malformed`, `evidence/unsupported`
 */
export function parseTpmQuote(bytes: Uint8Array): TpmQuote {
  if (bytes.length > MAX_QUOTE_BYTES) throw malformed(`it has ${bytes.length} bytes`)
  const reader = new ByteReader(bytes, 'the TPM quote')
  // A TPM signs no foreign data that begins with these: so this is its own.
  if (bigEndian(reader.take(4)) !== GENERATED_BY_TPM) throw malformed('it was not made inside a TPM')
  if (bigEndian(reader.take(2)) !== ATTEST_QUOTE) throw malformed('it is about something else than registers')
  const quote = {
    qualifiedSigner: sized(reader),
    extraData: sized(reader),
    clockMs: bigEndian64(reader),
    resetCount: bigEndian(reader.take(4)),
    restartCount: bigEndian(reader.take(4)),
    isClockSafe: readFlag(reader),
    firmwareVersion: bigEndian64(reader),
    registers: readSelection(reader),
    registerDigest: sized(reader),
  }
  reader.end()
  if (quote.registerDigest.length !== DIGEST_BYTES) throw malformed('its digest is not one of SHA-256')
  return quote
}

/**
 * The bare signature: given as it is, of the length of the key; or in a TPMT_SIGNATURE, where that says RSASSA with SHA-256.
 *
 * @throws {CountersignError} `evidence/malformed`, `evidence/unsupported`
 */
export function parseTpmSignature(bytes: Uint8Array, keyBytes: number): Uint8Array {
  if (bytes.length === keyBytes) return bytes
  const reader = new ByteReader(bytes, 'the signature of the TPM quote')
  const [algorithm, hash] = [bigEndian(reader.take(2)), bigEndian(reader.take(2))]
  if (algorithm !== RSASSA || hash !== SHA256) {
    throw new CountersignError(
      'evidence/unsupported',
      `signatures with algorithm ${algorithm} and hash ${hash} are not read`,
    )
  }
  const signature = sized(reader)
  reader.end()
  return signature
}

/** One bank, three bytes of bits, at least one register. */
function readSelection(reader: ByteReader): readonly number[] {
  const [count, hash, size] = [bigEndian(reader.take(4)), bigEndian(reader.take(2)), reader.uint8()]
  if (count !== 1 || hash !== SHA256) {
    throw new CountersignError('evidence/unsupported', 'quotes of other registers than those of SHA-256 are not read')
  }
  if (size !== TPM_REGISTERS / 8) throw malformed('its selection is not of 24 registers')
  const bits = reader.take(size)
  const registers = Array.from({ length: TPM_REGISTERS }, (_, i) => i).filter(
    (i) => ((bits[i >> 3] ?? 0) & (1 << (i & 7))) !== 0,
  )
  if (registers.length === 0) throw malformed('it is about no register')
  return registers
}

function readFlag(reader: ByteReader): boolean {
  const flag = reader.uint8()
  if (flag > 1) throw malformed('a flag is neither 0 nor 1')
  return flag === 1
}

function sized(reader: ByteReader): Uint8Array {
  return reader.take(bigEndian(reader.take(2)))
}

function bigEndian64(reader: ByteReader): bigint {
  return BigInt(bigEndian(reader.take(4))) * 2n ** 32n + BigInt(bigEndian(reader.take(4)))
}

function bigEndian(bytes: Uint8Array): number {
  return bytes.reduce((value, byte) => value * 256 + byte, 0)
}

function malformed(why: string): CountersignError {
  return new CountersignError('evidence/malformed', `the TPM quote is damaged: ${why}`)
}
