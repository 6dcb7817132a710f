/** Which key signed a token, and who vouches for it. */
import { toHex, utf8 } from '../../bytes/bytes.ts'
import { CountersignError } from '../../errors.ts'
import type { AppraisalInput } from '../appraised.ts'
import type { EvidenceChecks } from '../checks.ts'
import { itemsOf } from '../collateral.ts'
import { parseJwks, type TokenKey } from './jwks.ts'
import { type UnverifiedJws, verifyJws } from './jws.ts'

/** A token as it came, and taken apart. */
export interface ReadToken {
  readonly text: string
  readonly jws: UnverifiedJws
}

/** Keys that the policy pins under a name of its signers, by thumbprint; `undefined` where it pins none. */
export function pinsOf({ policy }: AppraisalInput, pinName: string): readonly string[] | undefined {
  return policy?.signers[pinName]
}

/**
 * The check `signature`: each token was signed by a key of the collateral's sets. The keys, in the order of the tokens;
 * `undefined` where that is not shown. Where no set has a key of the token's name, nothing is known of the signature.
 */
export function checkSignatures<Name extends string>(
  list: EvidenceChecks<Name | 'signature'>,
  input: AppraisalInput,
  tokens: readonly ReadToken[],
  pinName: string,
): readonly TokenKey[] | undefined {
  const { keys, unread } = keysOf(input)
  const missing = tokens.find(({ jws: { keyId } }) => !keys.some((key) => key.keyId === keyId))
  if (missing !== undefined) {
    const name = missing.jws.keyId === undefined ? 'a key, and the token names none' : `the key ${missing.jws.keyId}`
    list.notChecked('signature', [`no key set that was given has ${name}`, ...unread].join('; '))
    return undefined
  }
  const pins = pinsOf(input, pinName) ?? []
  return list.attempt('signature', () => tokens.map((token) => findSigner(input, token, keys, pins)))
}

/** All keys of all sets. A set that cannot be read is as none, and a reason. */
function keysOf({ crypto, collateral, memory }: AppraisalInput): {
  readonly keys: readonly TokenKey[]
  readonly unread: readonly string[]
} {
  const keys: TokenKey[] = []
  const unread: string[] = []
  for (const bytes of itemsOf(collateral, 'jwks')) {
    const read = () => parseJwks(crypto, bytes)
    try {
      keys.push(...(memory?.recall('jwks', toHex(crypto.sha256(bytes)), read, bytes.length) ?? read()))
    } catch (thrown) {
      if (!(thrown instanceof CountersignError)) throw thrown
      unread.push(`a key set cannot be read: ${thrown.message}`)
    }
  }
  return { keys, unread }
}

/**
 * The key that signed the token, pinned ones first. Sets of two issuers may use one name, so every key of that name is tried.
 *
 * @throws {CountersignError} `signature/invalid`
 */
function findSigner(
  { crypto, memory }: AppraisalInput,
  { text, jws }: ReadToken,
  keys: readonly TokenKey[],
  pins: readonly string[],
): TokenKey {
  const candidates = keys.filter(({ keyId }) => keyId === jws.keyId)
  const isPinned = ({ thumbprint }: TokenKey) => pins.includes(thumbprint)
  const ordered = [...candidates.filter(isPinned), ...candidates.filter((key) => !isPinned(key))]
  const name = memory === undefined ? '' : toHex(crypto.sha256(utf8(text)))
  let refusal = new CountersignError('signature/invalid', 'no key of that name was given')
  for (const key of ordered) {
    const prove = () => verifyJws(crypto, jws, key)
    try {
      if (memory === undefined) prove()
      else memory.recall('token-signature', `${name} ${key.thumbprint} ${key.algorithm}`, prove)
      return key
    } catch (thrown) {
      if (!(thrown instanceof CountersignError)) throw thrown
      refusal = thrown
    }
  }
  throw refusal
}

/**
 * The check `token-key`: the policy pins each key. Without a pin nobody vouches for a key: whoever hands over a token can hand
 * over a key set with it.
 */
export function checkPins<Name extends string>(
  list: EvidenceChecks<Name | 'token-key'>,
  input: AppraisalInput,
  keys: readonly TokenKey[],
  pinName: string,
): void {
  const pins = pinsOf(input, pinName)
  if (pins === undefined) {
    const why = input.policy === undefined ? 'no policy was given' : `the policy has no signers.${pinName}`
    const thumbprints = [...new Set(keys.map(({ thumbprint }) => thumbprint))].join(', ')
    list.notChecked('token-key', `key sets are unsigned, and ${why}: nobody vouches for the key ${thumbprints}`)
    return
  }
  list.attempt('token-key', () => {
    const other = keys.find(({ thumbprint }) => !pins.includes(thumbprint))
    if (other === undefined) return
    throw new CountersignError(
      'signature/unknown-key',
      `the token is signed by the key ${other.thumbprint}, which the policy does not pin in signers.${pinName}`,
    )
  })
}
