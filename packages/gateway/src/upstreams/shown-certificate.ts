/** What the other end of a TLS connection showed, and whether that is what evidence binds. */
import { createHash, X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { BoundKey } from '@countersign/verify'

/** What a TLS server showed in its handshake. */
export interface ShownCertificate {
  /** The certificate in DER. */
  readonly der: Uint8Array
  /** Its SHA-256, hexadecimal. */
  readonly sha256: string
  /** SHA-256 of its SubjectPublicKeyInfo, hexadecimal. */
  readonly keySha256: string
}

/** What was shown on a connection; `undefined` where it has no TLS. */
export function shownOn(socket: Socket): ShownCertificate | undefined {
  const certificate = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined
  if (certificate === undefined) return undefined
  const { raw, publicKey } = certificate
  return { der: raw, sha256: sha256(raw), keySha256: sha256(publicKey.export({ type: 'spki', format: 'der' })) }
}

/** Certificates and keys of a TLS server, any of which is the one that was attested. */
export interface AttestedTls {
  readonly certificates: ReadonlySet<string>
  readonly keys: ReadonlySet<string>
}

/** What bound keys say of the TLS server; `undefined` where they say nothing. */
export function attestedTls(keys: readonly BoundKey[]): AttestedTls | undefined {
  const of = (wanted: 'tls-certificate' | 'tls-key') =>
    new Set(keys.flatMap((key) => (key.use === wanted && 'sha256' in key ? [key.sha256] : [])))
  const tls = { certificates: of('tls-certificate'), keys: of('tls-key') }
  return tls.certificates.size + tls.keys.size === 0 ? undefined : tls
}

/** Whether a connection leads to the server that was attested. One without TLS never does. */
export function isAttested({ certificates, keys }: AttestedTls, shown: ShownCertificate | undefined): boolean {
  return shown !== undefined && (certificates.has(shown.sha256) || keys.has(shown.keySha256))
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** The SubjectPublicKeyInfo of what was shown. */
export function keyOf({ der }: ShownCertificate): Uint8Array {
  return new Uint8Array(new X509Certificate(der).publicKey.export({ type: 'spki', format: 'der' }))
}
