/** Reads what evidence must show of places, and where it and its collateral come from. @spec spec/config.md */
import { resolve } from 'node:path'
import {
  BINDING_PROFILES,
  CountersignError,
  type Fields,
  GATEWAY_PLACE,
  type Json,
  type Path,
  PLACE_FAILURES,
  type PlacePolicy,
  PROFILE_NAMES,
  readPlacePolicy,
  readText,
  ShapeError,
} from '@countersign/verify'
import { MAKERS } from '../place/collateral-addresses.ts'
import { type OwnSource, TSM_PATH } from '../place/own-evidence.ts'
import type { CollateralConfig, OwnPlaceConfig, PlaceConfig, UpstreamPlaceConfig } from './place-config.ts'
import { readUrl } from './secret-source.ts'

const MAX_ARGUMENTS = 32
const MAX_INSTANCES = 16
const COMMAND_GIVES = ['tdx', 'sev-snp', 'nitro'] as const

/** Reads `place` of an upstream. @throws {CountersignError} `shape/*`, `place-policy/*` */
export function readUpstreamPlace(
  fields: Fields,
  parent: { readonly name: string; readonly baseUrl: string },
): UpstreamPlaceConfig {
  if (parent.name === GATEWAY_PLACE) {
    throw new ShapeError(
      'shape/bad-value',
      fields.path,
      `"${GATEWAY_PLACE}" is the gateway’s own place; call the upstream something else`,
    )
  }
  const evidence = fields.optional('evidence', () => readEvidence(fields, parent.baseUrl)) ?? AUTO
  const place = readPlace(fields, 'evidence')
  requireConnections(fields, place)
  return { ...place, ...evidence }
}

type EvidenceConfig = Pick<UpstreamPlaceConfig, 'evidenceUrl' | 'evidenceModel' | 'sendsCredential'>

const AUTO: EvidenceConfig = { evidenceUrl: undefined, evidenceModel: undefined, sendsCredential: false }

/** A profile that binds no key of connections would admit nothing, ever: better said now than by every answer. */
function requireConnections(fields: Fields, { policy: { profile }, onFailure }: PlaceConfig): void {
  if (onFailure !== 'refuse' || BINDING_PROFILES[profile].bindsConnections) return
  const able = PROFILE_NAMES.filter((name) => BINDING_PROFILES[name].bindsConnections)
  throw new ShapeError(
    'shape/bad-value',
    fields.has('profile') ? fields.at('profile') : fields.path,
    `profile "${profile}" binds no key of connections, so that nothing could ever be sent there: say "onFailure: flag", or the profile of the provider (${able.join(', ')})`,
  )
}

function readEvidence(parent: Fields, baseUrl: string): EvidenceConfig {
  if (parent.any('evidence') === 'auto') return AUTO
  const fields = parent.object('evidence')
  const evidence: EvidenceConfig = {
    evidenceUrl: fields.optional('url', () => readEvidenceUrl(fields)),
    evidenceModel: fields.optional('model', () => fields.text('model', { maxLength: 256 })),
    sendsCredential: fields.optional('credential', () => fields.boolean('credential')) ?? false,
  }
  fields.end()
  const { evidenceUrl, sendsCredential } = evidence
  if (sendsCredential && evidenceUrl !== undefined && new URL(filled(evidenceUrl)).origin !== new URL(baseUrl).origin) {
    throw new ShapeError(
      'shape/bad-value',
      fields.at('credential'),
      'a credential goes to the upstream’s own origin alone',
    )
  }
  return evidence
}

/** An address over HTTP in which placeholders stand, in its path or query. */
function readEvidenceUrl(fields: Fields): string {
  const text = fields.text('url', { maxLength: 2048, pattern: /^https?:\/\/[!-~]+$/ })
  const url = URL.canParse(filled(text)) ? new URL(filled(text)) : undefined
  const isPlain = url !== undefined && `${url.username}${url.password}${url.hash}` === '' && !/[{}]/.test(filled(text))
  const host = text.split('/')[2] ?? ''
  if (isPlain && !/[{}]/.test(host)) return text
  throw new ShapeError(
    'shape/bad-value',
    fields.at('url'),
    'expected an address such as https://api.example.org/attestation?nonce={nonce}',
  )
}

function filled(text: string): string {
  return text.replaceAll('{nonce}', '00').replaceAll('{model}', 'm')
}

/** Takes the policy out of fields that have `onFailure`, and others, beside it. */
function readPlace(fields: Fields, ...others: readonly string[]): PlaceConfig {
  const onFailure = fields.optional('onFailure', () => fields.oneOf('onFailure', PLACE_FAILURES)) ?? 'refuse'
  const beside = new Set(['onFailure', ...others])
  const names = fields.names(MAX_NAMES).filter((name) => !beside.has(name))
  const written: Json = Object.fromEntries(names.map((name) => [name, fields.required(name)]))
  const policy = readPolicy(written, fields.path)
  fields.end()
  return { policy, written, onFailure }
}

const MAX_NAMES = 64

/** What is wrong with a policy is said with its line, like everything else. */
function readPolicy(written: Json, path: Path): PlacePolicy {
  try {
    return readPlacePolicy(written, path)
  } catch (thrown) {
    if (thrown instanceof ShapeError || !(thrown instanceof CountersignError)) throw thrown
    const { message } = thrown
    const end = message.startsWith(path) ? message.indexOf(': ') : -1
    const at = end < 0 ? path : message.slice(0, end)
    throw new ShapeError('shape/bad-value', at, end < 0 ? message : message.slice(end + 2))
  }
}

/** Reads `ownPlace`. @throws {CountersignError} `shape/*`, `place-policy/*` */
export function readOwnPlace(fields: Fields, folder: string): OwnPlaceConfig {
  const source = readOwnSource(fields, folder)
  const place = fields.has('tee') ? readPlace(fields, 'source', 'path', 'command', 'gives') : undefined
  fields.end()
  if (place === undefined || (source.kind !== 'none' && place.policy.profile === 'countersign'))
    return { source, place }
  const why =
    source.kind === 'none'
      ? 'there is no source of evidence, so that nothing could be shown; say "source"'
      : 'the gateway’s own evidence binds its key in one way; say "profile: countersign"'
  throw new ShapeError('shape/bad-value', fields.path, why)
}

function readOwnSource(fields: Fields, folder: string): OwnSource {
  const kind = fields.oneOf('source', ['configfs-tsm', 'command', 'none'] as const)
  const path = fields.optional('path', () => fields.text('path'))
  const argv = fields.optional('command', () =>
    fields.list('command', MAX_ARGUMENTS, (item, at) => readText(item, at, { maxLength: 4096 })),
  )
  const gives = fields.optional('gives', () => fields.oneOf('gives', COMMAND_GIVES)) ?? 'nitro'
  if (kind === 'configfs-tsm' && argv === undefined) {
    return { kind, path: path === undefined ? TSM_PATH : resolve(folder, path) }
  }
  const [program, ...rest] = argv ?? []
  if (kind === 'command' && path === undefined && program !== undefined) {
    return { kind, argv: [program, ...rest], gives }
  }
  if (kind === 'none' && path === undefined && argv === undefined) return { kind }
  throw new ShapeError(
    'shape/bad-value',
    fields.at('source'),
    '"path" is for configfs-tsm, and "command" for command, which needs it',
  )
}

/** Reads `collateral`. @throws {ShapeError} `shape/*` */
export function readCollateralConfig(fields: Fields, folder: string): CollateralConfig {
  const url = (name: string, usual: string) => fields.optional(name, () => readUrl(fields, name)) ?? usual
  const collateral = {
    addresses: {
      pcs: url('pcs', MAKERS.pcs),
      rootCrl: url('intelRootCrl', MAKERS.rootCrl),
      kds: url('kds', MAKERS.kds),
      nvidia: url('nvidia', MAKERS.nvidia),
      google: url('google', MAKERS.google),
      microsoft:
        fields.optional('microsoft', () =>
          fields.list('microsoft', MAX_INSTANCES, (item, at) =>
            readText(item, at, { maxLength: 256, pattern: /^https:\/\/[a-z0-9.-]+$/ }),
          ),
        ) ?? [],
    },
    cacheFolder: fields.optional('cacheFolder', () => resolve(folder, fields.text('cacheFolder'))),
    caFile: fields.optional('ca', () => resolve(folder, fields.text('ca'))),
  }
  fields.end()
  return collateral
}
