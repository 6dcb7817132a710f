/** How many dossiers one core verifies offline in a second, and how many with the output run again. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createModelStore, reexecute } from '@countersign/engines'
import { findIdentityAt, keyPaths, loadLogKey, readP256PublicKey } from '@countersign/gateway'
import {
  createMemory,
  decideRecord,
  decideVerdict,
  findRow,
  formatNoteKey,
  parseDossier,
  parseTrustFile,
  planExecution,
  toBase64,
  utf8,
  type VerdictInput,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { bodies, modelsFolder } from './credit.ts'
import { type Benchmark, percentile, round } from './result.ts'
import { type ServerProcess, startServer } from './server-process.ts'

const DOSSIERS = 500
const ROUNDS = 5

const METHOD = `${DOSSIERS} dossiers of the credit model, from a gateway that is stopped before the first is checked. A round takes each from bytes
to verdict in one thread: JSON, statement signature, leaf, inclusion, promise, openings, consistency, and the four linked
statements; heads and linked statements are proven once and remembered. "re-executed" also runs the model again in the
WebAssembly reference engine and compares the output. Medians of ${ROUNDS} rounds, the two ways by turns.`

export async function benchVerify(): Promise<Benchmark> {
  const { files, trustText } = await collect()
  const crypto = createNodeCrypto()
  const input = { crypto, trust: parseTrustFile(crypto, utf8(trustText)), atMs: Date.now(), memory: createMemory() }
  const models = createModelStore({ folders: [modelsFolder()] })
  const plain: number[] = []
  const executed: number[] = []
  for (let i = 0; i <= ROUNDS; i++) {
    const rates = [
      await rate(files, (file) => verify(file, input)),
      await rate(files, (file) => verifyAndRun(file, input, models)),
    ]
    // The first round warms up.
    if (i > 0) {
      plain.push(rates[0] ?? 0)
      executed.push(rates[1] ?? 0)
    }
  }
  await models.close()
  return {
    method: METHOD,
    figures: {
      dossiers_per_second: round(percentile(plain, 0.5)),
      re_executed_per_second: round(percentile(executed, 0.5)),
      dossier_bytes: round((files[0] ?? []).length),
    },
    goals: { dossiers_per_second: { min: 3000 }, re_executed_per_second: { min: 800 } },
  }
}

function verify(file: Uint8Array, input: VerdictInput): void {
  const verdict = decideVerdict(parseDossier(file, input.memory), input)
  if (findRow(verdict, 'record').status !== 'holds') throw new Error('a record does not hold')
}

async function verifyAndRun(
  file: Uint8Array,
  input: VerdictInput,
  models: ReturnType<typeof createModelStore>,
): Promise<void> {
  const dossier = parseDossier(file, input.memory)
  const { answer } = decideRecord(dossier, input)
  if (answer === undefined) throw new Error('a record does not hold')
  const executions = [await reexecute(planExecution(answer), { models })]
  const verdict = decideVerdict(dossier, { ...input, executions })
  if (findRow(verdict, 'output').status !== 'holds') throw new Error('an output does not hold')
}

async function rate(files: readonly Uint8Array[], check: (file: Uint8Array) => void | Promise<void>): Promise<number> {
  const startMs = performance.now()
  for (const file of files) await check(file)
  return files.length / ((performance.now() - startMs) / 1000)
}

/** Dossiers of a gateway that then is gone, and the trust file for them. */
async function collect() {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-verify-'))
  try {
    const server = await startServer('infer-on', [folder])
    const files: Uint8Array[] = []
    const answers = await askAll(server)
    for (const { receipt, secret } of answers) files.push(await fetchDossier(server, receipt, secret))
    await server.stop()
    return { files, trustText: trustTextOf(folder) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function askAll({ port }: ServerProcess): Promise<readonly { receipt: string; secret: string }[]> {
  const applications = bodies()
  const answers = []
  for (let i = 0; i < DOSSIERS; i++) {
    const body = Buffer.from(applications[i % applications.length] ?? '')
    const response = await fetch(`http://127.0.0.1:${port}/v2/models/credit/infer`, { method: 'POST', body })
    await response.arrayBuffer()
    const header = (name: string) => response.headers.get(name) ?? ''
    answers.push({ receipt: header('countersign-receipt'), secret: header('countersign-secret') })
  }
  return answers
}

async function fetchDossier({ port }: ServerProcess, receipt: string, secret: string): Promise<Uint8Array> {
  const headers = { authorization: `Bearer ${secret}`, prefer: 'wait=5' }
  const response = await fetch(`http://127.0.0.1:${port}/dossiers/${receipt}`, { headers })
  return new Uint8Array(await response.arrayBuffer())
}

function trustTextOf(folder: string): string {
  const paths = keyPaths(join(folder, 'keys'))
  const log = formatNoteKey(loadLogKey(paths.log, findIdentityAt(folder).origin, false).note)
  const party = (role: string, path: string) =>
    `- { name: ${role}, owner: bench, roles: [${role}], keys: [{ spki: ${toBase64(readP256PublicKey(path))} }] }\n`
  return `format: countersign-trust/v1
policy: |
  log ${log}
  quorum none
parties:
${party('operator', paths.statement)}${party('accountable', paths.exampleAccountable)}`
}
