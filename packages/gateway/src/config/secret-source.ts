/** Where secrets come from. No message repeats what stands in place of one: it may be the secret itself. */
import { resolve } from 'node:path'
import { type Fields, type Path, ShapeError } from '@countersign/verify'
import type { CredentialSource, SecretSource } from './config.ts'

/** Reads `file: PATH` or `env: NAME`. @throws {ShapeError} `shape/*` */
export function readSecretSource(fields: Fields, folder: string): SecretSource {
  const file = fields.optional('file', () => fields.text('file'))
  const env = fields.optional('env', () => readVariable(fields))
  fields.end()
  if (file !== undefined && env === undefined) return { file: resolve(folder, file) }
  if (env !== undefined && file === undefined) return { env }
  const why = 'expected either "file: PATH" or "env: NAME", never the secret itself'
  throw new ShapeError('shape/bad-value', fields.path, why)
}

/** Reads `client`, `none`, or where the gateway's own credential comes from. @throws {ShapeError} `shape/*` */
export function readCredential(parent: Fields, folder: string): CredentialSource {
  const value = parent.any('credential')
  if (value === undefined || value === 'none') return 'none'
  if (value === 'client') return 'client'
  if (value !== null && typeof value === 'object') return readSecretSource(parent.object('credential'), folder)
  const why = 'expected "client", "none", "file: PATH" or "env: NAME", never the secret itself'
  throw new ShapeError('shape/bad-value', parent.at('credential'), why)
}

function readVariable(fields: Fields): string {
  const name = fields.text('env')
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return name
  throw new ShapeError('shape/bad-value', fields.at('env'), 'expected the name of an environment variable')
}

/**
 * Reads an absolute URL over HTTP: without a slash at its end, a query, a fragment or a credential.
 *
 * @throws {ShapeError} `shape/*`
 */
export function readUrl(fields: Fields, name: string): string {
  const text = fields.text(name)
  const path: Path = fields.at(name)
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || !/^[a-z0-9.:[\]_-]{1,200}$/.test(url.host)) {
    throw new ShapeError('shape/bad-value', path, 'expected a URL such as https://api.example.org/v1')
  }
  if (url.username !== '' || url.password !== '') {
    throw new ShapeError('shape/bad-value', path, 'a URL holds no credential here; say "credential"')
  }
  if (url.search !== '' || url.hash !== '' || /[?#]/.test(text)) {
    throw new ShapeError('shape/bad-value', path, 'expected a URL without a query or a fragment')
  }
  return url.href.replace(/\/+$/, '')
}
