/** What the paravisor says of the machine and its TPM: the JSON whose hash the hardware signs. */
import { parseBase64Url } from '../../bytes/base64.ts'
import { type Json, PAYLOAD_LIMITS, parseJson } from '../../bytes/json.ts'
import { Fields } from '../../bytes/shape.ts'
import type { RsaKey } from '../../crypto/crypto.ts'
import { CountersignError } from '../../errors.ts'

/** As good as the hash over it. Members that are not named here are left alone: the paravisor adds to them. */
export interface RuntimeData {
  /** Key that signs the TPM's quotes: the paravisor made it, and no other key speaks for this TPM. */
  readonly attestationKey: RsaKey
  /** How the machine is set up: secure boot, console, TPM. */
  readonly configuration: { readonly [name: string]: Json }
  /** `undefined` where the configuration does not say. */
  readonly hasSecureBoot: boolean | undefined
  /** 64 bytes that the guest put there, hexadecimal. */
  readonly userData: string | undefined
}

const ATTESTATION_KEY = 'HCLAkPub'
const MAX_KEYS = 16
const MAX_MODULUS_TEXT = 700
const MIN_MODULUS_BYTES = 256
const MAX_EXPONENT_TEXT = 8
const MAX_CONFIGURATION = 64

/**
 * Reads runtime data.
 *
 * @throws {CountersignError} `json/*`, `shape/*`, `bytes/*`; `evidence/malformed` without exactly one attestation key
 */
export function parseRuntimeData(bytes: Uint8Array): RuntimeData {
  const fields = new Fields(parseJson(bytes, PAYLOAD_LIMITS), 'runtimeData')
  const keys = fields.list('keys', MAX_KEYS, (item, path) => new Fields(item, path))
  const [key, ...more] = keys.filter((each) => each.any('kid') === ATTESTATION_KEY)
  if (key === undefined || more.length > 0) {
    throw new CountersignError('evidence/malformed', `the runtime data does not have one key ${ATTESTATION_KEY}`)
  }
  const setup = fields.optional('vm-configuration', () => fields.object('vm-configuration'))
  const names = setup?.names(MAX_CONFIGURATION) ?? []
  const hasSecureBoot = setup?.optional('secure-boot', () => setup.boolean('secure-boot'))
  return {
    attestationKey: readRsaKey(key),
    configuration: Object.fromEntries(names.map((name) => [name, setup?.any(name) ?? null])),
    hasSecureBoot,
    userData: fields.optional('user-data', () => fields.text('user-data').toLowerCase()),
  }
}

function readRsaKey(key: Fields): RsaKey {
  key.literal('kty', 'RSA')
  const modulus = readNumber(key, 'n', MAX_MODULUS_TEXT)
  if (modulus.length < MIN_MODULUS_BYTES) {
    throw new CountersignError('evidence/malformed', 'the attestation key is too short')
  }
  return { modulus, exponent: readNumber(key, 'e', MAX_EXPONENT_TEXT) }
}

function readNumber(key: Fields, name: string, maxLength: number): Uint8Array {
  const digits = parseBase64Url(key.text(name, { maxLength }))
  if (digits.length > 0 && digits[0] !== 0) return digits
  throw new CountersignError('evidence/malformed', `${key.at(name)} begins with zeros`)
}
