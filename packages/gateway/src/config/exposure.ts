/** Reads who can reach the gateway, and as whom: address, TLS, proxies, browsers. @spec spec/config.md */
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { CountersignError, type Fields, type Json, type Path, quote, readText, ShapeError } from '@countersign/verify'
import { type Config, DEFAULT_LISTEN, type Subnet } from './config.ts'

const MAX_PROXIES = 256
const MAX_ORIGINS = 64

/** @throws {ShapeError} `shape/*` */
export function readListen(fields: Fields): Config['listen'] {
  const listen = {
    host: fields.optional('host', () => fields.text('host', { maxLength: 255 })) ?? DEFAULT_LISTEN.host,
    port: fields.optional('port', () => fields.integer('port', 0, 65_535)) ?? DEFAULT_LISTEN.port,
  }
  fields.end()
  return listen
}

/** @throws {ShapeError} `shape/*` */
export function readTls(fields: Fields, folder: string): NonNullable<Config['tls']> {
  const tls = {
    certificateFile: resolve(folder, fields.text('certificate')),
    keyFile: resolve(folder, fields.text('key')),
  }
  fields.end()
  return tls
}

/** @throws {ShapeError} `shape/*` */
export function readTrustedProxies(fields: Fields): readonly Subnet[] {
  return fields.list('trustedProxies', MAX_PROXIES, readSubnet)
}

/** `10.0.0.0/8`, or one address alone. */
function readSubnet(item: Json, path: Path): Subnet {
  const text = readText(item, path, { maxLength: 64 })
  const [, address = '', bits] = /^([0-9A-Fa-f.:]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const version = isIP(address)
  const width = version === 6 ? 128 : 32
  const prefix = bits === undefined ? width : Number(bits)
  if (version === 0 || prefix > width) {
    throw new ShapeError('shape/bad-value', path, `${quote(text)} is not a range such as 10.0.0.0/8 or fd00::/8`)
  }
  return { address, prefix, family: version === 6 ? 'ipv6' : 'ipv4' }
}

/** @throws {ShapeError} `shape/*` */
export function readCors(fields: Fields): Config['cors'] {
  const origins = fields.list('origins', MAX_ORIGINS, (item, path) => {
    const text = readText(item, path, { maxLength: 256 })
    if (/^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text) return text
    throw new ShapeError('shape/bad-value', path, `${quote(text)} is not an origin such as https://app.example`)
  })
  fields.end()
  return { origins }
}

/** Whether only this machine can reach an address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

/**
 * Refuses to let strangers spend the gateway's own credentials. Says nothing of models that it runs itself.
 *
 * @throws {CountersignError} `config/unsafe-listen`
 */
export function checkExposure({ listen, access, upstreams }: Pick<Config, 'listen' | 'access' | 'upstreams'>): void {
  if (access === 'keys' || isLoopback(listen.host)) return
  const spendable = upstreams.find(({ credential }) => credential !== 'client' && credential !== 'none')
  if (spendable === undefined) return
  throw new CountersignError(
    'config/unsafe-listen',
    `whoever reaches ${quote(listen.host)} could spend the credential of upstream ${quote(spendable.name)}; ` +
      'say "access: keys", or listen on 127.0.0.1',
  )
}
