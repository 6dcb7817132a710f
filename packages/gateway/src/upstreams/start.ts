/** Upstreams as they are configured, with their secrets read. */
import { readFileSync } from 'node:fs'
import { CountersignError, quote } from '@countersign/verify'
import type { SecretSource, UpstreamConfig } from '../config/config.ts'
import { createHttpUpstream, credentialHeaders } from './http-upstream.ts'
import type { Upstream } from './upstream.ts'

/** What opens an upstream to questions for evidence. */
export interface EvidenceAccess {
  /** Authorities that its certificate may be from, in PEM; the usual ones when `undefined`. */
  readonly ca: string | undefined
  /** Headers with its credential, where it goes there too. */
  readonly credential: { readonly [name: string]: string }
}

export interface StartedUpstreams {
  readonly upstreams: Map<string, Upstream>
  accessOf(name: string): EvidenceAccess
}

/** Longest secret that is read, in bytes. */
const MAX_SECRET_BYTES = 16 * 1024

/**
 * Makes an upstream of each entry. Connects to none of them.
 *
 * @throws {CountersignError} `config/missing-file` for a secret or certificate that is not there
 */
export function startUpstreams(configs: readonly UpstreamConfig[]): StartedUpstreams {
  const upstreams = new Map<string, Upstream>()
  const asked = new Map<string, EvidenceAccess>()
  for (const { caFile, credential, ...config } of configs) {
    const secret = typeof credential === 'string' ? credential : { secret: readSecret(config.name, credential) }
    const ca = caFile === undefined ? undefined : readText(config.name, caFile)
    const read = { ...config, credential: secret, ca }
    upstreams.set(config.name, createHttpUpstream(read))
    const headers = config.place?.sendsCredential === true ? credentialHeaders(read) : []
    asked.set(config.name, { ca, credential: Object.fromEntries(headers) })
  }
  return { upstreams, accessOf: (name) => asked.get(name) ?? { ca: undefined, credential: {} } }
}

function readSecret(upstream: string, source: SecretSource): string {
  const text = 'file' in source ? readText(upstream, source.file) : process.env[source.env]
  const secret = text?.trim() ?? ''
  if (/^[!-~]{1,16384}$/.test(secret)) return secret
  const where = 'file' in source ? 'its file' : `the environment variable ${source.env}`
  throw new CountersignError(
    'config/missing-file',
    `the credential of the upstream ${quote(upstream)} is not in ${where}`,
  )
}

function readText(upstream: string, path: string): string {
  try {
    const bytes = readFileSync(path)
    if (bytes.length <= MAX_SECRET_BYTES) return bytes.toString('utf8')
  } catch {
    // Said below, without the path: it stands in the configuration.
  }
  throw new CountersignError('config/missing-file', `cannot read a file that the upstream ${quote(upstream)} names`)
}
