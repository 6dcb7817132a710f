/** Reads `countersign.yaml`. A mistake is reported with its line and what to write instead. */
import { readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import {
  CountersignError,
  FAILURE_POLICIES,
  Fields,
  type Json,
  type Path,
  quote,
  readDeadlines,
  ShapeError,
  VAULT_MODES,
} from '@countersign/verify'
import { isMap, isNode, LineCounter, parseDocument, visit } from 'yaml'
import {
  type Config,
  DEFAULT_DEADLINES,
  DEFAULT_LIMITS,
  DEFAULT_LISTEN,
  DEFAULT_PROFILE,
  DEFAULT_REFERENCE_PROFILE,
  type DeploymentConfig,
  type Limits,
  type ModelConfig,
  type SecretSource,
  type WriterConfig,
} from './config.ts'

const FORMAT = 'countersign-config/v1'
const MAX_BYTES = 1024 * 1024
const NAME = { maxLength: 128, pattern: /^[A-Za-z0-9][A-Za-z0-9._-]*$/ }

/**
 * Reads a configuration file; relative paths in it are relative to its folder.
 *
 * @throws {CountersignError} `config/missing-file`, `config/malformed` with the line
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
 * @throws {CountersignError} `config/malformed`: `line N: field: what is wrong and what is expected`
 */
export function parseConfig(text: string, folder: string): Config {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: false, schema: 'core' })
  const [error] = document.errors
  if (error !== undefined) {
    throw malformed(lines.linePos(error.pos[0]).line, error.message.split('\n')[0] ?? 'not YAML')
  }
  try {
    checkUniqueKeys(document, lines)
    return readConfig(new Fields(document.toJS({ maxAliasCount: 0 }) as Json, 'config'), folder)
  } catch (thrown) {
    if (thrown instanceof ShapeError) throw malformed(lineOf(document, lines, thrown.path), thrown.message)
    if (thrown instanceof CountersignError && thrown.code === 'config/malformed') throw thrown
    throw malformed(1, thrown instanceof Error ? thrown.message : 'not YAML')
  }
}

function readConfig(fields: Fields, folder: string): Config {
  fields.literal('format', FORMAT)
  const operator = fields.object('operator')
  const config: Config = {
    listen: fields.optional('listen', () => readListen(fields.object('listen'))) ?? DEFAULT_LISTEN,
    dataRoot: resolve(folder, fields.optional('data', () => fields.text('data')) ?? 'countersign-data'),
    origin: fields.optional('origin', () =>
      fields.text('origin', { maxLength: 200, pattern: /^[^\s+]*[^\s+0-9][^\s+]*$/ }),
    ),
    operator: {
      name: operator.text('name', { maxLength: 128 }),
      contact: operator.text('contact', { maxLength: 256 }),
    },
    vaultKey: fields.optional('vaultKey', () => readSecret(fields.object('vaultKey'), folder)),
    deployments: readDeployments(fields.object('deployments'), folder),
    writers:
      fields.optional('writers', () => fields.list('writers', 256, (item, at) => readWriter(item, at, folder))) ?? [],
    limits: fields.optional('limits', () => readLimits(fields.object('limits'))) ?? DEFAULT_LIMITS,
    example: false,
  }
  operator.end()
  fields.end()
  return config
}

function readListen(fields: Fields): Config['listen'] {
  const listen = {
    host: fields.optional('host', () => fields.text('host', { maxLength: 255 })) ?? DEFAULT_LISTEN.host,
    port: fields.optional('port', () => fields.integer('port', 0, 65_535)) ?? DEFAULT_LISTEN.port,
  }
  fields.end()
  return listen
}

function readSecret(fields: Fields, folder: string): SecretSource {
  const file = fields.optional('file', () => fields.text('file'))
  const env = fields.optional('env', () => fields.text('env', { pattern: /^[A-Za-z_][A-Za-z0-9_]*$/ }))
  fields.end()
  if (file !== undefined && env === undefined) return { file: resolve(folder, file) }
  if (env !== undefined && file === undefined) return { env }
  throw new ShapeError(
    'shape/bad-value',
    fields.path,
    'expected either "file: PATH" or "env: NAME", never the secret itself',
  )
}

function readDeployments(fields: Fields, folder: string): readonly DeploymentConfig[] {
  const names = fields.names(64)
  if (names.length === 0) throw new ShapeError('shape/missing-field', fields.path, 'expected at least one deployment')
  const deployments = names.map((name) => {
    if (!NAME.pattern.test(name) || name.length > NAME.maxLength) {
      throw new ShapeError(
        'shape/bad-value',
        fields.path,
        `${JSON.stringify(name)} is not a name of letters, digits, . _ -`,
      )
    }
    return readDeployment(name, fields.object(name), folder)
  })
  fields.end()
  return deployments
}

function readDeployment(name: string, fields: Fields, folder: string): DeploymentConfig {
  const accountable = fields.object('accountable')
  const deployment: DeploymentConfig = {
    name,
    model: readModel(fields.object('model'), folder),
    vault: fields.optional('vault', () => fields.oneOf('vault', VAULT_MODES)) ?? 'content',
    onFailure: fields.optional('onFailure', () => fields.oneOf('onFailure', FAILURE_POLICIES)) ?? 'flag',
    prices: fields.optional('prices', () => fields.list('prices', 64, readPrice)) ?? [],
    accountable: {
      party: accountable.text('party', { maxLength: 128 }),
      contact: accountable.text('contact', { maxLength: 256 }),
      publicKeyFile: resolve(folder, accountable.text('publicKey')),
    },
    deadlines: fields.optional('deadlines', () => readDeadlines(fields.object('deadlines'))) ?? DEFAULT_DEADLINES,
  }
  accountable.end()
  fields.end()
  return deployment
}

function readModel(fields: Fields, folder: string): ModelConfig {
  const model: ModelConfig = {
    path: resolve(folder, fields.text('path')),
    profile: fields.optional('profile', () => fields.text('profile', NAME)) ?? DEFAULT_PROFILE,
    referenceProfile:
      fields.optional('referenceProfile', () => fields.text('referenceProfile', NAME)) ?? DEFAULT_REFERENCE_PROFILE,
    agreement:
      fields.optional('agreement', () => fields.oneOf('agreement', ['exact', 'tolerant'] as const)) ?? 'tolerant',
  }
  fields.end()
  return model
}

function readPrice(item: Json, path: Path): DeploymentConfig['prices'][number] {
  const fields = new Fields(item, path)
  const price = {
    item: fields.text('item', { maxLength: 64 }),
    amountMicros: fields.integer('amountMicros'),
    currency: fields.text('currency', { maxLength: 3, pattern: /^[A-Z]{3}$/ }),
  }
  fields.end()
  return price
}

function readWriter(item: Json, path: Path, folder: string): WriterConfig {
  const fields = new Fields(item, path)
  const writer = {
    party: fields.text('party', { maxLength: 128 }),
    publicKeyFile: resolve(folder, fields.text('publicKey')),
    perDay: fields.optional('perDay', () => fields.integer('perDay', 1, 1_000_000)) ?? 100,
  }
  fields.end()
  return writer
}

function readLimits(fields: Fields): Limits {
  const read = (name: keyof Limits, minimum: number, maximum: number) =>
    fields.optional(name, () => fields.integer(name, minimum, maximum)) ?? DEFAULT_LIMITS[name]
  const limits = {
    bodyBytes: read('bodyBytes', 1024, 32 * 1024 * 1024),
    inFlight: read('inFlight', 1, 4096),
    logRequestsPerSecond: read('logRequestsPerSecond', 1, 1_000_000),
    logRequestsBurst: read('logRequestsBurst', 1, 1_000_000),
    receiptRequestsPerSecond: read('receiptRequestsPerSecond', 1, 1_000_000),
    receiptRequestsBurst: read('receiptRequestsBurst', 1, 1_000_000),
    freeDiskBytes: read('freeDiskBytes', 1024 * 1024, Number.MAX_SAFE_INTEGER),
  }
  fields.end()
  return limits
}

/** The parser's own check compares each key with all others of its map, which takes minutes for a map of many. */
function checkUniqueKeys(document: ReturnType<typeof parseDocument>, lines: LineCounter): void {
  visit(document, {
    Map(_, { items }) {
      const seen = new Set<string>()
      for (const { key } of items) {
        const name = String(key)
        const offset = isNode(key) ? key.range?.[0] : undefined
        if (seen.has(name))
          throw malformed(lines.linePos(offset ?? 0).line, `keys are unique; ${quote(name)} stands twice`)
        seen.add(name)
      }
    },
  })
}

/** The line of the node at a path such as `config.deployments.credit.model`, or of the nearest node around it. */
function lineOf(document: ReturnType<typeof parseDocument>, lines: LineCounter, path: Path): number {
  const steps = path
    .replace(/\[(\d+)\]/g, '.$1')
    .split('.')
    .slice(1)
  for (let length = steps.length; length > 0; length--) {
    const parent = length === 1 ? document.contents : document.getIn(steps.slice(0, length - 1).map(asKey), true)
    const step = steps[length - 1] ?? ''
    const pair = isMap(parent) ? parent.items.find((item) => String(item.key) === step) : undefined
    const node = (pair?.key ?? document.getIn(steps.slice(0, length).map(asKey), true)) as
      | { range?: [number] }
      | undefined
    if (node?.range !== undefined) return lines.linePos(node.range[0]).line
  }
  return 1
}

function asKey(step: string): string | number {
  return /^\d+$/.test(step) ? Number(step) : step
}

function malformed(line: number, why: string): CountersignError {
  return new CountersignError('config/malformed', `line ${line}: ${why}`)
}
