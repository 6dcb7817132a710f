/** Reads `countersign.yaml`. A mistake is reported with its line and what to write instead. */
import { readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { CountersignError, Fields, flawOfYaml, type Json, type Path, quote, ShapeError } from '@countersign/verify'
import { isMap, isNode, isSeq, LineCounter, parseDocument, visit } from 'yaml'
import {
  type Config,
  DEFAULT_LIMITS,
  DEFAULT_LISTEN,
  DEFAULT_TELEMETRY,
  WRITER_ROLES,
  type WriterConfig,
  type WriterRole,
} from './config.ts'
import { readDeployments } from './deployments.ts'
import { checkExposure, readCors, readListen, readTls, readTrustedProxies } from './exposure.ts'
import { readLimits } from './limits.ts'
import { DEFAULT_COLLATERAL, NO_OWN_PLACE } from './place-config.ts'
import { readCollateralConfig, readOwnPlace } from './places.ts'
import { readSecretSource, readUrl } from './secret-source.ts'
import { readUpstreams } from './upstreams.ts'
import { checkQuorums, readWitnesses } from './witnesses.ts'

const FORMAT = 'countersign-config/v1'
const MAX_BYTES = 1024 * 1024
const MAX_WRITERS = 256

/**
 * Reads a configuration file; relative paths in it are relative to its folder.
 *
 * @throws {CountersignError} `config/missing-file`, `config/malformed` or `config/unsafe-listen` with the line
 */
export function readConfigFile(path: string): Config {
  let text: string
  try {
    if (statSync(path).size > MAX_BYTES)
      throw new CountersignError('config/malformed', 'the configuration is too large')
    text = readFileSync(path, 'utf8')
  } catch (thrown) {
    if (thrown instanceof CountersignError) throw thrown
    throw new CountersignError('config/missing-file', `cannot read the configuration ${JSON.stringify(path)}`)
  }
  return parseConfig(text, dirname(resolve(path)))
}

/**
 * Reads a configuration.
 *
 * @throws {CountersignError} `config/malformed`: `line N: field: what is wrong and what is expected`; `config/unsafe-listen`
 *   when strangers could spend a credential
 */
export function parseConfig(text: string, folder: string): Config {
  const flaw = flawOfYaml(text)
  if (flaw !== undefined) throw malformed(flaw.line, flaw.why)
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: false, schema: 'core' })
  const [error] = document.errors
  if (error !== undefined) {
    throw malformed(lines.linePos(error.pos[0]).line, error.message.split('\n')[0] ?? 'not YAML')
  }
  try {
    checkUniqueKeys(document, lines)
    const config = readConfig(new Fields(document.toJS({ maxAliasCount: 0 }) as Json, 'config'), folder)
    checkExposure(config)
    return config
  } catch (thrown) {
    if (thrown instanceof ShapeError) throw malformed(lineOf(document, lines, thrown.path), thrown.message)
    if (thrown instanceof CountersignError && thrown.code === 'config/unsafe-listen') {
      throw new CountersignError(
        thrown.code,
        `line ${lineOf(document, lines, 'config.listen.host')}: ${thrown.message}`,
      )
    }
    if (thrown instanceof CountersignError && thrown.code === 'config/malformed') throw thrown
    throw malformed(1, thrown instanceof Error ? thrown.message : 'not YAML')
  }
}

function readConfig(fields: Fields, folder: string): Config {
  fields.literal('format', FORMAT)
  const operator = fields.object('operator')
  const upstreams = fields.optional('upstreams', () => readUpstreams(fields.object('upstreams'), folder)) ?? []
  const config: Config = {
    listen: fields.optional('listen', () => readListen(fields.object('listen'))) ?? DEFAULT_LISTEN,
    access: fields.optional('access', () => fields.oneOf('access', ['open', 'keys'] as const)) ?? 'open',
    tls: fields.optional('tls', () => readTls(fields.object('tls'), folder)),
    trustedProxies: fields.optional('trustedProxies', () => readTrustedProxies(fields)) ?? [],
    cors: fields.optional('cors', () => readCors(fields.object('cors'))) ?? { origins: [] },
    telemetry: fields.optional('telemetry', () => readTelemetry(fields.object('telemetry'))) ?? DEFAULT_TELEMETRY,
    dataRoot: resolve(folder, fields.optional('data', () => fields.text('data')) ?? 'countersign-data'),
    origin: fields.optional('origin', () =>
      fields.text('origin', { maxLength: 200, pattern: /^[^\s+]*[^\s+0-9][^\s+]*$/ }),
    ),
    operator: {
      name: operator.text('name', { maxLength: 128 }),
      contact: operator.text('contact', { maxLength: 256 }),
    },
    vaultKey: fields.optional('vaultKey', () => readSecretSource(fields.object('vaultKey'), folder)),
    witnesses: fields.optional('witnesses', () => readWitnesses(fields.object('witnesses'), folder)),
    upstreams,
    deployments: readDeployments(fields.object('deployments'), { folder, upstreams }),
    writers: readWriters(fields, folder),
    limits: fields.optional('limits', () => readLimits(fields.object('limits'))) ?? DEFAULT_LIMITS,
    ownPlace: fields.optional('ownPlace', () => readOwnPlace(fields.object('ownPlace'), folder)) ?? NO_OWN_PLACE,
    collateral:
      fields.optional('collateral', () => readCollateralConfig(fields.object('collateral'), folder)) ??
      DEFAULT_COLLATERAL,
    example: false,
  }
  operator.end()
  fields.end()
  checkCredentials(config)
  checkQuorums(config.deployments, config.witnesses)
  return config
}

/** Who presents a key of the gateway has no place left for the upstream's. */
function checkCredentials({ access, upstreams }: Config): void {
  const unpaid = upstreams.find(({ credential }) => credential === 'client')
  if (access === 'open' || unpaid === undefined) return
  throw new ShapeError(
    'shape/bad-value',
    `config.upstreams.${unpaid.name}.credential`,
    'with "access: keys" clients send a key of the gateway alone; name the upstream’s own as "env: NAME" or "file: PATH"',
  )
}

function readTelemetry(fields: Fields): Config['telemetry'] {
  const telemetry = {
    otlpUrl: fields.optional('otlpUrl', () => readUrl(fields, 'otlpUrl')),
    metrics: fields.optional('metrics', () => fields.boolean('metrics')) ?? DEFAULT_TELEMETRY.metrics,
  }
  fields.end()
  return telemetry
}

function readWriters(fields: Fields, folder: string): readonly WriterConfig[] {
  const read = () => fields.list('writers', MAX_WRITERS, (item, at) => readWriter(item, at, folder))
  return fields.optional('writers', read) ?? []
}

function readWriter(item: Json, path: Path, folder: string): WriterConfig {
  const fields = new Fields(item, path)
  const writer = {
    party: fields.text('party', { maxLength: 128 }),
    roles: fields.optional('roles', () => readWriterRoles(fields)) ?? (['accountable'] as const),
    publicKeyFile: resolve(folder, fields.text('publicKey')),
    perDay: fields.optional('perDay', () => fields.integer('perDay', 1, 1_000_000)) ?? 100,
  }
  fields.end()
  return writer
}

function readWriterRoles(fields: Fields): readonly WriterRole[] {
  const roles = fields.list('roles', WRITER_ROLES.length, (item, path) => {
    const role = WRITER_ROLES.find((known) => known === item)
    if (role === undefined) throw new ShapeError('shape/bad-value', path, `expected one of ${WRITER_ROLES.join(', ')}`)
    return role
  })
  if (roles.length > 0 && new Set(roles).size === roles.length) return roles
  throw new ShapeError('shape/bad-value', fields.at('roles'), 'expected at least one, each once')
}

/** The parser's own check compares each key with all others of its map, which takes minutes for a map of many. */
function checkUniqueKeys(document: ReturnType<typeof parseDocument>, lines: LineCounter): void {
  visit(document, {
    Map(_, { items }) {
      const seen = new Set<string>()
      for (const { key } of items) {
        const name = String(key)
        const offset = offsetOf(key)
        if (seen.has(name))
          throw malformed(lines.linePos(offset ?? 0).line, `keys are unique; ${quote(name)} stands twice`)
        seen.add(name)
      }
    },
  })
}

/**
 * The line of the node at a path such as `config.deployments.credit.model`, or of the nearest node around it. Names may
 * hold dots themselves, so of all readings of the path the one that leads furthest counts.
 */
function lineOf(document: ReturnType<typeof parseDocument>, lines: LineCounter, path: Path): number {
  const { offset } = follow({ node: document.contents, rest: path.replace(/^[^.[]*/, ''), offset: undefined })
  return offset === undefined ? 1 : lines.linePos(offset).line
}

interface Step {
  readonly node: unknown
  /** What of the path lies beyond the node. */
  readonly rest: string
  /** Of the node, or of the nearest around it that has one. */
  readonly offset: number | undefined
}

function follow(step: Step): Step {
  const ends = stepsFrom(step).map(follow)
  return ends.reduce((best, end) => (end.rest.length < best.rest.length ? end : best), step)
}

/** The children that a path such as `.model.path` or `[3].name` can lead to first. */
function stepsFrom({ node, rest, offset }: Step): readonly Step[] {
  if (isSeq(node)) {
    const [whole = '', index] = /^\[(\d+)\]/.exec(rest) ?? []
    const item = index === undefined ? undefined : node.items[Number(index)]
    return item === undefined ? [] : [{ node: item, rest: rest.slice(whole.length), offset: offsetOf(item) ?? offset }]
  }
  if (!isMap(node)) return []
  return node.items.flatMap(({ key, value }) => {
    const name = `.${String(key)}`
    const beyond = rest.slice(name.length)
    const isThere = rest.startsWith(name) && /^([.[]|$)/.test(beyond)
    return isThere ? [{ node: value, rest: beyond, offset: offsetOf(key) ?? offset }] : []
  })
}

function offsetOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined
}

function malformed(line: number, why: string): CountersignError {
  return new CountersignError('config/malformed', `line ${line}: ${why}`)
}
