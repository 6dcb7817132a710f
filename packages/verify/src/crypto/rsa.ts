/** RSA signatures over BigInt, for browsers: public keys alone, so nothing here needs to hide its timing. @spec RFC 8017 */
import type { RsaKey, RsaScheme } from './crypto.ts'

/** Whether key and signature are of a shape that both providers look at. */
export function isRsaShape({ modulus, exponent }: RsaKey, _scheme: RsaScheme, signature: Uint8Array): boolean {
  return modulus.length >= 256 && modulus.length <= 512 && exponent.length > 0 && signature.length === modulus.length
}

/** See `Crypto.rsaAccepts`. */
export function acceptsRsa(_key: RsaKey, _scheme: RsaScheme, _message: Uint8Array, _signature: Uint8Array): boolean {
  throw new Error('not written yet')
}
