/** Witnesses to ask in tests: a configuration, a running witness, and requests to it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { utf8 } from '@countersign/verify'
import { request } from 'undici'
import { crypto, type GrowingLog } from './growing-log.testing.ts'
import { type RunningWitness, startWitness, type WitnessOptions } from './witness.ts'
import { parseWitnessConfig, type WitnessConfig } from './witness-config.ts'

export const NAME = 'witness.example.org/w1'

export function testFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-witness-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A configuration for these logs, with lines of YAML besides. */
export function configText(logs: readonly GrowingLog[], more = ''): string {
  const entries = logs.map(({ verifierKey, origin }) => JSON.stringify({ key: verifierKey, origin }))
  return `format: countersign-witness/v1
name: ${NAME}
listen: {port: 0, prefix: /w}
logs: [${entries.join(', ')}]
${more}`
}

export function configFor(folder: string, logs: readonly GrowingLog[], more?: string): WitnessConfig {
  return parseWitnessConfig(crypto, utf8(configText(logs, more)), folder)
}

/** A witness that the end of the test stops. */
export async function startTestWitness(
  context: TestContext,
  config: WitnessConfig,
  options: Partial<WitnessOptions> = {},
): Promise<RunningWitness> {
  const onHalt = (error: Error) => {
    throw error
  }
  const witness = await startWitness({ config, onHalt, ...options })
  let isOpen = true
  const close = async () => {
    if (isOpen) await witness.close()
    isOpen = false
  }
  context.after(close)
  return { ...witness, close }
}

export interface Answered {
  readonly status: number
  readonly contentType: string
  readonly retryAfter: string | undefined
  readonly text: string
}

export async function ask(
  url: string,
  body: string | Uint8Array | null,
  method: 'POST' | 'GET' | 'PUT' | 'HEAD' = 'POST',
): Promise<Answered> {
  const { statusCode, headers, body: reply } = await request(url, { method, body })
  return {
    status: statusCode,
    contentType: String(headers['content-type']),
    retryAfter: headers['retry-after'] === undefined ? undefined : String(headers['retry-after']),
    text: await reply.text(),
  }
}

/** Asks for a cosignature. */
export function submit(url: string, body: string | Uint8Array): Promise<Answered> {
  return ask(`${url}/add-checkpoint`, body)
}

/** Where a witness shows the newest head that it cosigned of a log. */
export function monitoringUrl(url: string, origin: string): string {
  return `${url}/${Buffer.from(crypto.sha256(utf8(origin))).toString('hex')}/checkpoint`
}
