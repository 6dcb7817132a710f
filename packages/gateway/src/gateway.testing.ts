/** A gateway on loopback for tests, over a folder of its own, and what a client of it does. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { type Config, exampleConfig } from './config/config.ts'
import { dataFolderAt } from './data/data-folder.ts'
import { keyPaths } from './data/keys.ts'
import { Gateway, type GatewayOptions } from './gateway.ts'
import { arithmeticModel, arithmeticRequest } from './model.testing.ts'

/** What a test may change of the example's configuration; `vault` and `price` are of its one deployment. */
export interface TestChanges extends Partial<Config> {
  readonly vault?: 'content' | 'salts' | 'none'
  readonly priceMicros?: number
}

const cleanups = new WeakMap<TestContext, (() => void | Promise<void>)[]>()

/** Does something when the test is over; what was asked for last is done first. */
function afterwards(context: TestContext, cleanup: () => void | Promise<void>): void {
  const known = cleanups.get(context)
  if (known !== undefined) {
    known.unshift(cleanup)
    return
  }
  const list = [cleanup]
  cleanups.set(context, list)
  context.after(async () => {
    for (const each of list) await each()
  })
}

/** A folder for one test, removed when the test is over. */
export function temporaryFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-gateway-'))
  afterwards(context, () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** The embedded example on a free port, with a small model as its deployment `sum`. Data are in `folder`/data. */
export function testConfig(
  folder: string,
  { vault = 'content', priceMicros = 0, ...changes }: TestChanges = {},
): Config {
  const modelPath = join(folder, 'arithmetic.onnx')
  writeFileSync(modelPath, arithmeticModel())
  const example = exampleConfig(join(folder, 'data'), modelPath)
  const deployments = example.deployments.map((each) => ({
    ...each,
    name: 'sum',
    answersTo: ['sum'],
    vault,
    prices: [{ item: 'decision', amountMicros: priceMicros, currency: 'EUR' }],
  }))
  return { ...example, listen: { host: '127.0.0.1', port: 0 }, deployments, ...changes }
}

/** A gateway that runs for the length of a test, and what it said. */
export interface TestGateway {
  readonly gateway: Gateway
  readonly notices: string[]
  readonly errors: string[]
  /** Stops it before the test ends. */
  stop(): Promise<void>
}

export async function startGateway(
  context: TestContext,
  config: Config,
  options: Partial<GatewayOptions> = {},
): Promise<TestGateway> {
  const notices: string[] = []
  const errors: string[] = []
  const gateway = await Gateway.start({
    config,
    notices: { info: (message) => notices.push(message), error: (message) => errors.push(message) },
    ...options,
  })
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= gateway.close()
    return stopped
  }
  afterwards(context, stop)
  return { gateway, notices, errors, stop }
}

/** Starts a gateway in a new folder; the folder goes when the test ends. */
export async function startInNewFolder(
  context: TestContext,
  changes: TestChanges = {},
): Promise<TestGateway & { readonly folder: string; readonly config: Config }> {
  const folder = temporaryFolder(context)
  const config = testConfig(folder, changes)
  const started = await startGateway(context, config)
  return { ...started, folder, config }
}

/** A reply, read to its end. */
export interface Got {
  readonly status: number
  readonly headers: Headers
  readonly bytes: Uint8Array
  readonly text: string
}

export type HeaderMap = { readonly [name: string]: string }

export async function call(
  gateway: Gateway,
  method: string,
  path: string,
  headers: HeaderMap = {},
  body?: Uint8Array | string,
): Promise<Got> {
  const init = body === undefined ? { method, headers } : { method, headers, body }
  const response = await fetch(`${gateway.url}${path}`, init)
  const bytes = new Uint8Array(await response.arrayBuffer())
  return { status: response.status, headers: response.headers, bytes, text: Buffer.from(bytes).toString() }
}

/** The code in an error's body. */
export function codeIn({ text }: Got): unknown {
  return (JSON.parse(text) as { code?: unknown }).code
}

/** An answer with the headers that it came with. */
export interface InferGot extends Got {
  readonly receipt: string
  readonly secret: string
  readonly promise: string
  readonly salts: string
}

export function inferPath(name = 'sum'): string {
  return `/v2/models/${name}/infer`
}

export async function infer(
  gateway: Gateway,
  body: Uint8Array | string = arithmeticRequest(),
  headers: HeaderMap = {},
): Promise<InferGot> {
  const got = await call(gateway, 'POST', inferPath(), headers, body)
  const header = (name: string) => got.headers.get(`countersign-${name}`) ?? ''
  return {
    ...got,
    receipt: header('receipt'),
    secret: header('secret'),
    promise: header('promise'),
    salts: header('salts'),
  }
}

/** An answer that must be one. */
export async function answered(gateway: Gateway, body?: Uint8Array, headers?: HeaderMap): Promise<InferGot> {
  const got = await infer(gateway, body, headers)
  assert.equal(got.status, 200, got.text)
  return got
}

export function bearer(secret: string): HeaderMap {
  return { authorization: `Bearer ${secret}` }
}

/** Asks for something with a receipt's secret, and waits until a head covers it. */
export function waitFor(gateway: Gateway, path: string, secret: string): Promise<Got> {
  return call(gateway, 'GET', path, { ...bearer(secret), prefer: 'wait=10' })
}

/** Keys of the gateway that ran over that data. */
export function keysOf(dataRoot: string) {
  return keyPaths(dataFolderAt(dataRoot).keys)
}
