/** An operator: a gateway of the bundled credit model in a process of its own, with the data folder and keys to it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parsePromiseHeader } from '@countersign/verify'
import { Pool } from 'undici'
import { bodies } from '../../bench/credit.ts'
import type { Running } from './processes.ts'
import { AUDITORS, type World } from './world.ts'

/** Longest that a gateway of the simulation runs. */
const LIMIT_MS = 280_000

/** What a client keeps of one answer. */
export interface Kept {
  readonly receipt: string
  readonly secret: string
  /** In its one-line form. */
  readonly promise: string
  /** Where the promise says that it stands. */
  readonly index: number
}

export interface Operator {
  readonly name: string
  readonly dataRoot: string
  readonly url: string
  stop(): Promise<void>
}

/** How an operator's gateway differs from the one that it was given. */
export interface OperatorOptions {
  /** The data folder, where it is not the log's own. */
  readonly dataRoot?: string
  /** Arguments of Node that change the program. */
  readonly node?: readonly string[]
}

/** Starts the gateway of the operator with that name. */
export async function startOperator(world: World, name: string, options: OperatorOptions = {}): Promise<Operator> {
  const { dataRoot = world.identityOf(name).dataRoot, node = [] } = options
  const config = `${dataRoot}.yaml`
  writeFileSync(config, configText(world, name, dataRoot))
  const args = ['serve', '--config', config, '--log-level', 'warn']
  const running: Running = world.processes.start(args, { folder: world.folder, node, limitMs: LIMIT_MS })
  const [, url = ''] = await running.said(/ at (http:\/\/\S+)/)
  return {
    name,
    dataRoot,
    url,
    async stop() {
      const { code, stderr } = await running.stop()
      if (code !== 0) throw new Error(`the gateway ended with ${code}\n${stderr}`)
    },
  }
}

function configText(world: World, name: string, dataRoot: string): string {
  const model = fileURLToPath(new URL('../../models/credit/credit.onnx', import.meta.url))
  const writers = AUDITORS.map(
    (each) => `- { party: ${each}, publicKey: ${world.publicKeyOf(each)}, roles: [auditor] }`,
  )
  // All who ask are at one address here.
  const rates = ['logRequestsPerSecond', 'logRequestsBurst', 'receiptRequestsPerSecond', 'receiptRequestsBurst']
  return `format: countersign-config/v1
listen: { port: 0 }
data: ${dataRoot}
origin: ${world.identityOf(name).origin}
operator: { name: The operator, contact: operator@example.org }
witnesses: { policy: ${world.policyFile} }
limits: { ${rates.map((rate) => `${rate}: 10000`).join(', ')} }
deployments:
  credit:
    model: { path: ${model}, agreement: exact }
    accountable: { party: The lender, contact: appeals@example.org, publicKey: ${world.publicKeyOf('accountable')} }
    quorum: { name: owners }
writers:
${writers.join('\n')}
`
}

/** Asks for `count` decisions, over so many connections that stay open. What clients keep, in the order of the answers. */
export async function ask({ url }: Operator, count: number, connections = 1): Promise<readonly Kept[]> {
  const pool = new Pool(url, { connections, pipelining: 1, headersTimeout: 30_000, bodyTimeout: 30_000 })
  const requests = bodies()
  const kept: Kept[] = []
  let next = 0
  const client = async () => {
    while (next < count) {
      const body = requests[next++ % requests.length]
      const answer = await pool.request({ method: 'POST', path: '/v2/models/credit/infer', body: body ?? null })
      const text = await answer.body.text()
      if (answer.statusCode !== 200) throw new Error(`the gateway answered ${answer.statusCode}: ${text}`)
      kept.push(keptOf(answer.headers))
    }
  }
  try {
    await Promise.all(Array.from({ length: connections }, client))
  } finally {
    await pool.close()
  }
  return kept
}

function keptOf(headers: { readonly [name: string]: string | string[] | undefined }): Kept {
  const header = (name: string) => String(headers[`countersign-${name}`])
  const promise = header('promise')
  const [, , , , index] = parsePromiseHeader(promise).text.split('\n')
  return { receipt: header('receipt'), secret: header('secret'), promise, index: Number(index) }
}

/** Fetches an answer's dossier into a file, once a head covers it, or once witnesses have confirmed such a head. */
export async function fetchDossier({ url }: Operator, kept: Kept, path: string, isWitnessed: boolean): Promise<string> {
  const prefer = `wait=20${isWitnessed ? ', witnessed' : ''}`
  const headers = { authorization: `Bearer ${kept.secret}`, prefer }
  const answer = await fetch(`${url}/dossiers/${kept.receipt}`, { headers })
  const bytes = new Uint8Array(await answer.arrayBuffer())
  if (answer.status !== 200) throw new Error(`no dossier: ${answer.status} ${new TextDecoder().decode(bytes)}`)
  writeFileSync(path, bytes)
  return path
}

/** The checkpoint that the gateway publishes, once it has so many entries and signature lines. */
export async function untilPublished({ url }: Operator, size: number, lines: number): Promise<string> {
  for (let i = 0; i < 600; i++) {
    const text = await (await fetch(`${url}/log/checkpoint`)).text()
    const isThere = Number(text.split('\n')[1]) >= size && text.split('\n— ').length > lines
    if (isThere) return text
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`no checkpoint of ${size} entries with ${lines} signature lines was published`)
}

/** A key for an auditor, in a file. */
export async function grantAudit(world: World, { dataRoot }: Operator, auditor: string): Promise<string> {
  const args = ['key', 'create', '--name', auditor, '--right', 'audit', '--data', dataRoot, '--json']
  const { code, stdout, stderr } = await world.processes.run(args, { folder: world.folder, limitMs: LIMIT_MS })
  if (code !== 0) throw new Error(`no API key: ${stderr}`)
  const path = join(world.folder, `${auditor}.${dataRoot.split('/').at(-1)}.api-key`)
  writeFileSync(path, (JSON.parse(stdout) as { token: string }).token, { mode: 0o600 })
  return path
}
