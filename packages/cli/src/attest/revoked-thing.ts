/** What a revocation is about, as words of a command line say it. Forms of values are checked where the statement is read. */
import { createPublicKey } from 'node:crypto'
import { existsSync } from 'node:fs'
import {
  type BoundKey,
  type Certificate,
  CountersignError,
  importCollateral,
  KEY_USES,
  parseCertificate,
  quote,
  REVOKED_KINDS,
  type Revoked,
  TEE_KINDS,
  TEE_VOCABULARY,
  toHex,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { readInput } from '../files.ts'

/** Options that say more of a state of the hardware. */
export interface TcbOptions {
  readonly state?: readonly string[] | undefined
  readonly advisory?: readonly string[] | undefined
  readonly fmspc?: string | undefined
}

/** @throws {CountersignError} `usage/invalid` for words that do not fit the kind, and what reading a file throws */
export function readRevokedThing(kindText: string, words: readonly string[], options: TcbOptions): Revoked {
  const kind = oneOf('what is revoked', kindText, REVOKED_KINDS)
  const hasOptions = Object.values(options).some((value) => value !== undefined)
  if (hasOptions && kind !== 'tcb') throw invalid('--state, --advisory and --fmspc are for tcb alone')
  switch (kind) {
    case 'device':
      if (words.length === 0) throw invalid('device: name one id at least, as "attest explain --json" gives it')
      return { kind, ids: words.map((id) => id.toLowerCase()) }
    case 'certificate': {
      const { issuer, serial } = soleCertificate(only(words, 'certificate FILE'))
      return { kind, issuer, serial }
    }
    case 'measurement':
      return readMeasurement(words)
    case 'key':
      return { kind, key: readKey(words) }
    case 'tcb': {
      const tee = oneOf('tee', only(words, 'tcb TEE'), TEE_KINDS)
      const { state, advisory, fmspc } = options
      return {
        ...{ kind, tee },
        ...(state === undefined ? {} : { states: state }),
        ...(advisory === undefined ? {} : { advisories: advisory }),
        ...(fmspc === undefined ? {} : { fmspc: fmspc.toLowerCase() }),
      }
    }
  }
}

/** A register that nothing measures would revoke nothing, and nobody would notice. */
function readMeasurement(words: readonly string[]): Revoked {
  const [teeText = '', register = '', value, ...more] = words
  if (value === undefined || more.length > 0) throw invalid('expected measurement TEE REGISTER VALUE')
  const tee = oneOf('tee', teeText, TEE_KINDS)
  const known = [...TEE_VOCABULARY[tee].measurements, ...(tee === 'confidential-space' ? ['image_digest'] : [])]
  return { kind: 'measurement', tee, register: oneOf('register', register, known), value: value.toLowerCase() }
}

function readKey(words: readonly string[]): BoundKey {
  const [useText = '', value, ...more] = words
  if (value === undefined || more.length > 0) throw invalid('expected key USE VALUE, or key USE FILE')
  const use = oneOf('use', useText, KEY_USES)
  switch (use) {
    case 'tls-certificate':
      return { use, sha256: existsSync(value) ? sha256Of(soleCertificate(value).bytes) : digestIn(use, value) }
    case 'tls-key':
    case 'signing-key':
      return { use, sha256: existsSync(value) ? sha256Of(spkiIn(value)) : digestIn(use, value) }
    case 'ed25519':
    case 'hpke-key':
      return { use, publicKey: value.toLowerCase() }
    case 'ethereum-address':
      return { use, address: value.replace(/^0x/i, '').toLowerCase() }
  }
}

/** A name of a file that is not there is no digest. */
function digestIn(use: string, value: string): string {
  if (/^[0-9a-f]{64}$/i.test(value)) return value.toLowerCase()
  const what = use === 'tls-certificate' ? 'certificate' : 'public key or certificate'
  throw invalid(
    `key ${use} takes a file with the ${what}, or a SHA-256 (64 hexadecimal digits); there is no file ${quote(value)}`,
  )
}

/** The public key of a PEM file, or of the certificate in it. */
function spkiIn(path: string): Uint8Array {
  const file = readInput(path)
  if (!Buffer.from(file).includes('PUBLIC KEY-----')) return soleCertificate(path).spki
  try {
    return new Uint8Array(createPublicKey(Buffer.from(file)).export({ format: 'der', type: 'spki' }))
  } catch {
    throw new CountersignError('key/malformed', `${path}: not a public key in PEM`)
  }
}

function soleCertificate(path: string): Certificate {
  const [first, ...others] = importCollateral(readInput(path)).filter(({ kind }) => kind === 'certificate')
  if (first !== undefined && others.length === 0) return parseCertificate(first.content)
  throw invalid(`${path}: expected one certificate, and there are ${first === undefined ? 0 : others.length + 1}`)
}

function sha256Of(bytes: Uint8Array): string {
  return toHex(createNodeCrypto().sha256(bytes))
}

function only(words: readonly string[], form: string): string {
  const [word, ...more] = words
  if (word !== undefined && more.length === 0) return word
  throw invalid(`expected ${form}`)
}

function oneOf<T extends string>(what: string, text: string, known: readonly T[]): T {
  const found = known.find((each) => each === text)
  if (found !== undefined) return found
  throw invalid(`${what}: ${quote(text)} is none of ${known.join(', ')}`)
}

function invalid(why: string): CountersignError {
  return new CountersignError('usage/invalid', why)
}
