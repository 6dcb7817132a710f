/** TLS of the gateway's own: certificate and key from files, read again on SIGHUP. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { CountersignError, codeOf } from '@countersign/verify'
import type { Config } from '../config/config.ts'

/** What `https.createServer` and `setSecureContext` take. */
export interface ServerTls {
  /** PEM: the server's certificate, then those that lead to its authority. */
  readonly cert: string
  readonly key: string
  readonly minVersion: 'TLSv1.2'
}

/** A server whose certificate can be exchanged while it runs. */
export interface SecureServer {
  setSecureContext(options: ServerTls): void
}

type TlsFiles = NonNullable<Config['tls']>
type Notices = { info(message: string): void; error(message: string): void }

const MAX_PEM_BYTES = 256 * 1024
/** Whoever else may read the key, and whoever may exchange it. Its group may read it: so are secrets mounted. */
const FORBIDDEN_MODE = 0o037

/**
 * Reads certificate and key, and checks that they belong together. Does not check who signed the certificate, nor its
 * names, nor its dates.
 *
 * @throws {CountersignError} `config/missing-file` for a file that cannot be read; `key/malformed` for one that holds
 *   something else, for a key that others can read or its group can write, and for a key of another certificate
 */
export function createServerOptions({ certificateFile, keyFile }: TlsFiles): ServerTls {
  const cert = readPem(certificateFile, 'certificate', 0)
  const key = readPem(keyFile, 'key', FORBIDDEN_MODE)
  if (!parsed(cert, 'certificate', (pem) => new X509Certificate(pem)).checkPrivateKey(parseKey(key))) {
    throw new CountersignError('key/malformed', 'tls: the key is not that of the first certificate')
  }
  return { cert, key, minVersion: 'TLSv1.2' }
}

/**
 * Reads certificate and key again whenever the process gets SIGHUP. New connections get the new certificate; those that
 * are open stay. Files that do not fit change nothing, and are reported.
 *
 * @returns what ends this
 */
export function reloadOnHangup(server: SecureServer, files: TlsFiles, notices: Notices): () => void {
  const reload = () => {
    try {
      server.setSecureContext(createServerOptions(files))
      notices.info('tls: the certificate was read again')
    } catch (thrown) {
      const why = codeOf(thrown) === undefined ? 'the files cannot be used' : (thrown as CountersignError).message
      notices.error(`${why}; the certificate stays as it was`)
    }
  }
  process.on('SIGHUP', reload)
  return () => process.off('SIGHUP', reload)
}

/** Looks at the file that it reads, and not at what has its name a moment earlier. */
function readPem(path: string, what: string, forbiddenMode: number): string {
  let descriptor: number | undefined
  try {
    descriptor = openSync(path, 'r')
    const { size, mode } = fstatSync(descriptor)
    if (size > MAX_PEM_BYTES) throw new CountersignError('key/malformed', `tls: the file of the ${what} is too large`)
    if ((mode & forbiddenMode) !== 0) {
      const message = `tls: the file of the ${what} is open to others; give it mode 0600, or 0640 for its group to read`
      throw new CountersignError('key/malformed', message)
    }
    return readFileSync(descriptor, 'utf8')
  } catch (thrown) {
    if (thrown instanceof CountersignError) throw thrown
    throw new CountersignError('config/missing-file', `tls: cannot read the file of the ${what}`)
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}

function parseKey(pem: string): KeyObject {
  return parsed(pem, 'key', createPrivateKey)
}

function parsed<T>(pem: string, what: string, parse: (pem: string) => T): T {
  try {
    return parse(pem)
  } catch {
    throw new CountersignError('key/malformed', `tls: the file of the ${what} holds none in PEM`)
  }
}
