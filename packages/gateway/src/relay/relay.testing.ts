/** A gateway in front of the mock upstream, and clients that see every byte. */
import assert from 'node:assert/strict'
import { request } from 'node:http'
import type { TestContext } from 'node:test'
import { type Inference, parseInference, parseStatement, saltFor, toHex } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import type { DeploymentConfig, Limits, UpstreamConfig } from '../config/config.ts'
import { DEFAULT_BREAKER, DEFAULT_CONCURRENCY, DEFAULT_TARGET, DEFAULT_TIMEOUTS } from '../config/config.ts'
import { startGateway, type TestChanges, type TestGateway, temporaryFolder, testConfig } from '../gateway.testing.ts'
import type { Gateway, GatewayOptions } from '../gateway.ts'
import { type MockUpstream, startMockUpstream } from '../mock-upstream/mock-upstream.testing.ts'
import { StatementReader } from '../store/statement-reader.ts'

export interface RelayStage extends TestGateway {
  readonly upstream: MockUpstream
  readonly folder: string
}

export interface RelayChanges {
  readonly config?: TestChanges
  readonly upstream?: Partial<UpstreamConfig>
  readonly deployment?: Partial<DeploymentConfig>
  /** More deployments, each like `mock` but for what it says. */
  readonly others?: readonly Partial<DeploymentConfig>[]
  /** More upstreams. */
  readonly extra?: readonly (Pick<UpstreamConfig, 'name' | 'kind' | 'baseUrl'> & Partial<UpstreamConfig>)[]
  /** Adds an upstream `kserve`. */
  readonly kserve?: boolean
  readonly limits?: Partial<Limits>
  /** Of an upstream of the test's own in place of the mock, without a path. */
  readonly url?: string
  readonly options?: Partial<GatewayOptions>
}

/** A gateway whose deployment `mock` sends every model to a mock upstream of the OpenAI kind, and Anthropic's to another. */
export async function startRelay(context: TestContext, changes: RelayChanges = {}): Promise<RelayStage> {
  const upstream = await startMockUpstream()
  context.after(() => upstream.close())
  const folder = temporaryFolder(context)
  const base = testConfig(folder, changes.config)
  const [example] = base.deployments
  assert.ok(example !== undefined)
  const mock: DeploymentConfig = {
    ...example,
    name: 'mock',
    model: undefined,
    prices: [],
    route: [
      { upstream: 'openai', ...DEFAULT_TARGET },
      { upstream: 'anthropic', ...DEFAULT_TARGET },
    ],
    answersTo: ['*'],
    ...changes.deployment,
  }
  const { url = upstream.url } = changes
  const config = {
    ...base,
    limits: { ...base.limits, ...changes.limits },
    upstreams: [
      upstreamConfig({ ...changes.upstream, name: 'openai', kind: 'openai', baseUrl: `${url}/v1` }),
      ...(changes.extra ?? []).map(upstreamConfig),
      ...(changes.kserve === true ? [upstreamConfig({ name: 'kserve', kind: 'kserve', baseUrl: url })] : []),
      upstreamConfig({ ...changes.upstream, name: 'anthropic', kind: 'anthropic', baseUrl: url }),
    ],
    deployments: [...base.deployments, mock, ...(changes.others ?? []).map((each) => ({ ...mock, ...each }))],
  }
  return { ...(await startGateway(context, config, changes.options)), upstream, folder }
}

function upstreamConfig(
  config: Pick<UpstreamConfig, 'name' | 'kind' | 'baseUrl'> & Partial<UpstreamConfig>,
): UpstreamConfig {
  const defaults = {
    credential: 'none' as const,
    credentialHeader: undefined,
    query: [],
    headers: [],
    caFile: undefined,
    timeouts: DEFAULT_TIMEOUTS,
    concurrency: DEFAULT_CONCURRENCY,
    breaker: DEFAULT_BREAKER,
    place: undefined,
  }
  return { ...defaults, ...config }
}

/** A reply, with its bytes as they came. */
export interface Raw {
  readonly status: number
  readonly headers: { readonly [name: string]: string | string[] | undefined }
  readonly bytes: Buffer
  /** Whether the reply was whole. */
  readonly isComplete: boolean
}

export interface SendOptions {
  readonly headers?: { readonly [name: string]: string }
  /** Leaves once so many bytes of the body came. */
  readonly leaveAfterBytes?: number
}

/** Sends bytes, and reads the reply to its end, however it ends. */
export function send(
  gateway: Gateway,
  path: string,
  body: string | Uint8Array,
  options: SendOptions = {},
): Promise<Raw> {
  const { headers = {}, leaveAfterBytes = Number.POSITIVE_INFINITY } = options
  return new Promise((resolve, reject) => {
    const sent = request(`${gateway.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...headers },
    })
    sent.once('error', reject)
    sent.once('response', (response) => {
      const chunks: Buffer[] = []
      let length = 0
      const settle = () => {
        const { statusCode: status = 0, headers: got, complete } = response
        resolve({ status, headers: got, bytes: Buffer.concat(chunks), isComplete: complete })
      }
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        length += chunk.length
        if (length >= leaveAfterBytes) response.destroy()
      })
      response.on('error', () => undefined)
      response.once('close', settle)
    })
    sent.end(body)
  })
}

/** The body of a chat request. */
export function chat(model: string, more: object = {}): string {
  return JSON.stringify({ model, messages: [{ role: 'user', content: 'Say something.' }], ...more })
}

/** The statement about an answer; waits until it is there. */
export async function statementOf({ gateway }: Pick<RelayStage, 'gateway'>, receipt: string): Promise<Inference> {
  const reader = new StatementReader(createNodeCrypto(), gateway.log.database)
  for (let i = 0; i < 100; i++) {
    const row = reader.byReceipt(receipt)
    if (row !== undefined) return parseInference(parseStatement(row.payload))
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`there is no statement of ${receipt}`)
}

/** SHA-256 of a label's salt and bytes, with the salts that the gateway gave the client. */
export function commitmentWith(raw: Raw, label: string, bytes: Uint8Array | string): string {
  const crypto = createNodeCrypto()
  const seed = Buffer.from(String(raw.headers['countersign-salts']), 'base64url')
  return toHex(crypto.sha256(saltFor(crypto, new Uint8Array(seed), label), new Uint8Array(Buffer.from(bytes))))
}

const PROMISE = /: countersign-promise ([A-Za-z0-9+/=]+)\n\n/

/** A stream without the gateway's comment, and the promise that was in it. */
export function withoutPromise(bytes: Buffer): { readonly bytes: Buffer; readonly promises: readonly string[] } {
  const text = bytes.toString('latin1')
  const promises = [...text.matchAll(new RegExp(PROMISE, 'g'))].map((match) => match[1] ?? '')
  return { bytes: Buffer.from(text.replaceAll(new RegExp(PROMISE, 'g'), ''), 'latin1'), promises }
}
