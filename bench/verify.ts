/** How many dossiers one core verifies offline in a second, and how many with the output run again. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createModelStore, reexecute } from '@countersign/engines'
import { findIdentityAt, keyPaths, loadLogKey, readP256PublicKey } from '@countersign/gateway'
import {
  type Crypto,
  createMemory,
  decideRecord,
  decideVerdict,
  findRow,
  formatNoteKey,
  type Grade,
  parseDossier,
  parseTrustFile,
  planExecution,
  type Trust,
  toBase64,
  utf8,
  type VerdictInput,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { openStoppedLog, underCosignedHeads } from './cosigned-dossiers.ts'
import { bodies, modelsFolder } from './credit.ts'
import { type Benchmark, percentile, round } from './result.ts'
import { type ServerProcess, startServer } from './server-process.ts'

const DOSSIERS = 500
const ROUNDS = 5
const WARM_UP_ROUNDS = 3

/** Answers that share a head: what a gateway gives in a second, for heads are cosigned once a second. */
const ANSWERS_PER_HEAD = 4

const METHOD = `${DOSSIERS} dossiers of the credit model, from a gateway that is stopped before the first is checked. A round takes each from bytes
to verdict in one thread: JSON, statement signature, leaf, inclusion, promise, openings, consistency, and the four linked
statements; heads and linked statements are proven once and remembered, and forgotten after each round. "with three cosignatures" are the
same answers under other heads: each ${ANSWERS_PER_HEAD} answers share a head that covers no answer more, cosigned by three witnesses of a policy that
asks for two of them; all three are checked. "each its own head": as that, with a head for each answer. "re-executed" also runs the model again in
the WebAssembly reference engine and compares the output. Medians of ${ROUNDS} rounds after ${WARM_UP_ROUNDS} that warm up, the ways by turns.`

export async function benchVerify(): Promise<Benchmark> {
  const crypto = createNodeCrypto()
  const { files, shared, apart, trust, witnessed } = await collect(crypto)
  const models = createModelStore({ folders: [modelsFolder()] })
  const fresh = (trusted: Trust) => ({ crypto, trust: trusted, atMs: Date.now(), memory: createMemory() })
  const rates: number[][] = [[], [], [], []]
  for (let i = -WARM_UP_ROUNDS; i < ROUNDS; i++) {
    const [plain, cosigned, lone, executed] = [fresh(trust), fresh(witnessed), fresh(witnessed), fresh(trust)]
    const round = [
      await rate(files, (file) => verify(file, plain, 'operator-asserted')),
      await rate(shared, (file) => verify(file, cosigned, 'witnessed')),
      await rate(apart, (file) => verify(file, lone, 'witnessed')),
      await rate(files, (file) => verifyAndRun(file, executed, models)),
    ]
    if (i >= 0) for (const [way, each] of round.entries()) rates[way]?.push(each)
  }
  await models.close()
  const [plain, cosigned, lone, executed] = rates.map((each) => round(percentile(each, 0.5)))
  return {
    method: METHOD,
    figures: {
      dossiers_per_second: plain ?? null,
      dossiers_with_three_cosignatures_per_second: cosigned ?? null,
      dossiers_with_three_cosignatures_each_its_own_head_per_second: lone ?? null,
      re_executed_per_second: executed ?? null,
      dossier_bytes: round((files[0] ?? []).length),
      cosigned_dossier_bytes: round((shared[0] ?? []).length),
    },
    goals: {
      dossiers_per_second: { min: 3000 },
      dossiers_with_three_cosignatures_per_second: { min: 1800 },
      re_executed_per_second: { min: 800 },
    },
  }
}

function verify(file: Uint8Array, input: VerdictInput, grade: Grade): void {
  const verdict = decideVerdict(parseDossier(file, input.memory), input)
  if (findRow(verdict, 'record').grade !== grade) throw new Error(`a record does not hold as ${grade}`)
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

/** Dossiers of a gateway that then is gone, as it gave them and under cosigned heads, and the trust files for both. */
async function collect(crypto: Crypto) {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-verify-'))
  try {
    const server = await startServer('infer-on', [folder])
    const files: Uint8Array[] = []
    const answers = await askAll(server)
    for (const { receipt, secret } of answers) files.push(await fetchDossier(server, receipt, secret))
    await server.stop()
    const log = openStoppedLog(crypto, folder)
    return {
      files,
      shared: underCosignedHeads(files, log, ANSWERS_PER_HEAD),
      apart: underCosignedHeads(files, log, 1),
      trust: parseTrustFile(crypto, utf8(trustTextOf(folder, ['quorum none']))),
      witnessed: parseTrustFile(crypto, utf8(trustTextOf(folder, log.policyLines, log.witnesses))),
    }
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

function trustTextOf(folder: string, policy: readonly string[], witnesses: readonly string[] = []): string {
  const paths = keyPaths(join(folder, 'keys'))
  const log = formatNoteKey(loadLogKey(paths.log, findIdentityAt(folder).origin, false).note)
  const party = (role: string, path: string) =>
    `- { name: ${role}, owner: bench, roles: [${role}], keys: [{ spki: ${toBase64(readP256PublicKey(path))} }] }\n`
  const owned = witnesses.map((name) => `- { name: ${name}, owner: ${name}, witnesses: [${name}] }\n`)
  return `format: countersign-trust/v1
policy: |
  ${[`log ${log}`, ...policy].join('\n  ')}
parties:
${party('operator', paths.statement)}${party('accountable', paths.exampleAccountable)}${owned.join('')}`
}
