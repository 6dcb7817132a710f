/** A monitor beside a log server, and what it finds. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  formatPromise,
  type Misbehaviour,
  type NoteKey,
  parseMisbehaviour,
  parseTrustFile,
  type Trust,
  toHex,
  utf8,
  verifyMisbehaviour,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { startLogServer, type TestLog, type TestLogServer, trustTextOf } from '../log-client/log-server.testing.ts'
import { Monitor } from './monitor.ts'
import type { MonitorOptions } from './monitor-options.ts'
import type { Report } from './observation.ts'

const crypto = createNodeCrypto()

export interface MonitorScene {
  readonly server: TestLogServer
  readonly folder: string
  readonly evidence: string
  readonly reports: Report[]
  /** The trust file's text; may be exchanged before the next look. */
  trustText: string
  nowMs: number
  /** A witness's monitoring endpoint that shows one checkpoint. */
  witness(show: () => string | undefined): Promise<string>
  /** A new monitor on the scene's state. */
  open(options?: Partial<MonitorOptions>): Monitor
  /** Opens one, looks once, closes it. */
  look(options?: Partial<MonitorOptions>): Promise<Look>
  /** Writes a file of evidence. */
  give(name: string, content: string | Uint8Array): void
  end(): Promise<void>
}

/** What came of a look. */
export interface Look {
  /** Kinds of findings that count, in the order of the alphabet. */
  readonly missing: readonly string[]
  readonly warnings: readonly string[]
  /** Kinds of all proof files, each verified with nothing but the trust file. */
  readonly proven: readonly string[]
  readonly size: number
  /** Entries that the proofs show to be common, in the same order. */
  readonly common: readonly number[]
}

export async function startScene(log?: TestLog): Promise<MonitorScene> {
  const server = await startLogServer(log)
  const folder = mkdtempSync(join(tmpdir(), 'countersign-monitor-'))
  const evidence = mkdtempSync(join(folder, 'evidence-'))
  const reports: Report[] = []
  const opened: Monitor[] = []
  const endpoints: Awaited<ReturnType<typeof startWitnessEndpoint>>[] = []
  const scene: MonitorScene = {
    ...{ server, folder, evidence, reports },
    trustText: trustTextOf(server.log.signer),
    nowMs: Date.now(),
    async witness(show) {
      const endpoint = await startWitnessEndpoint(server.log.signer.key, show)
      endpoints.push(endpoint)
      return endpoint.url
    },
    open: (options = {}) => {
      const monitor = new Monitor({
        ...{ crypto, trust: parseTrustFile(crypto, utf8(scene.trustText)), logUrl: server.url },
        ...{ stateFolder: join(folder, 'state'), proofFolder: join(folder, 'proofs') },
        ...{ witnessUrls: [], evidence: [evidence] },
        ...{ graceMs: 0, intervalMs: 20, timeoutMs: 5000, nowMs: () => scene.nowMs },
        onReport: (report) => reports.push(report),
        onProgress: () => undefined,
        ...options,
      })
      opened.push(monitor)
      return monitor
    },
    async look(options) {
      const monitor = scene.open(options)
      await monitor.once()
      await monitor.close()
      const { findings, proven } = monitor.state
      const isWarning = (kind: string) => /^(witness|evidence|cosignature|leaf|limit|proof-failed)/.test(kind)
      const kinds = findings.map(({ kind }) => kind).sort()
      const files = provenIn(join(folder, 'proofs'), parseTrustFile(crypto, utf8(scene.trustText)))
      if (files.length !== proven.length) throw new Error('files and state differ')
      return {
        missing: kinds.filter((kind) => !isWarning(kind)),
        warnings: kinds.filter(isWarning),
        proven: files.map(({ kind }) => kind),
        common: files.map(({ commonSize }) => commonSize),
        size: monitor.state.verified.size,
      }
    },
    give: (name, content) => writeFileSync(join(evidence, name), content),
    async end() {
      for (const monitor of opened) monitor.stop()
      await Promise.all([server, ...endpoints].map((each) => each.stop()))
      rmSync(folder, { recursive: true, force: true })
    },
  }
  return scene
}

/** The proofs in a folder, after a stranger verified each. */
export function provenIn(folder: string, trust: Trust): readonly Misbehaviour[] {
  let names: string[] = []
  try {
    names = readdirSync(folder)
  } catch {
    return []
  }
  const proofs = names.map((name) => parseMisbehaviour(new Uint8Array(readFileSync(join(folder, name)))))
  return proofs.map((proof) => verifyMisbehaviour(crypto, trust, proof)).sort((a, b) => (a.kind < b.kind ? -1 : 1))
}

/** A promise that a log signed for an entry, kept or not. */
export function promiseNote(
  log: TestLog,
  {
    index,
    leafHash,
    coverBySeconds,
  }: { readonly index: number; readonly leafHash: Uint8Array; readonly coverBySeconds: number },
): string {
  const text = formatPromise({
    origin: log.signer.key.name,
    receipt: toHex(leafHash).slice(0, 32),
    statement: toHex(leafHash),
    ...{ index, leafHash, coverBySeconds },
  })
  return `${text}\n${log.signer.sign(text)}`
}

/** A witness's monitoring endpoint that shows one checkpoint. */
async function startWitnessEndpoint(key: NoteKey, show: () => string | undefined) {
  const path = `/w/${toHex(crypto.sha256(utf8(key.name)))}/checkpoint`
  const server = createServer((request, response) => {
    const body = request.url === path ? show() : undefined
    response.writeHead(body === undefined ? 404 : 200)
    response.end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/w`,
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
