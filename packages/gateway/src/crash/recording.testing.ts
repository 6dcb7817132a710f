/** Records all that gateways do to their disk, and send, through starts, load, an erasure, kills and a clean close. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { dataFolderAt } from '../data/data-folder.ts'
import { keyPaths } from '../data/keys.ts'
import { openDatabaseReadOnly } from '../store/database.ts'
import { StatementReader } from '../store/statement-reader.ts'
import { type GatewayProcess, type GatewayProcessOptions, startGatewayProcess } from './gateway-process.testing.ts'
import { ask, createLedger, lookAtCheckpoint } from './ledger.testing.ts'
import { found, placeAnswers, type RecordedAnswer, sentIn } from './placement.testing.ts'
import { type Keys, readKeys, readOrigin } from './promises.testing.ts'
import { chatQuestion, creditQuestion, MIXED, mixedQuestion } from './question.testing.ts'
import { createRandom } from './random.testing.ts'
import { type Operation, parseTrace } from './trace.testing.ts'
import { startUpstreamProcess } from './upstream-process.testing.ts'

const RECORDER_SOURCE = fileURLToPath(new URL('../../src/crash/recorder.c', import.meta.url))

/** Enough for a complete tile: 256 entries. */
const ENOUGH_ANSWERS = 270
/** Requests at once: one of each kind. */
const BURST = MIXED

/** Under load for so long, a gateway has begun streams and not ended them. */
const LOAD_MS = 60

/** First starts that are cut short, and how long the recorder lets one take. */
const EARLY_KILLS = 3
const SLOWEST_START_MS = 700

/** A gateway that was told to stop and has made no recorded call for so long makes none. */
const IDLE_MS = 1000

/** What a sync takes on a slow disk: longer than the mock upstream takes to answer. */
const SLOW_SYNC_MS = 40
const SLOW_STREAMS = 3

export interface Recording {
  /** The folder that was recorded, empty and durable at first. */
  readonly root: string
  readonly dataRoot: string
  readonly upstreamUrl: string
  readonly operations: readonly Operation[]
  readonly keys: Keys
  /** All answers of which anything was received, in the order in which they began. */
  readonly answers: readonly RecordedAnswer[]
  readonly heads: readonly { readonly at: number; readonly note: string }[]
  readonly erasures: readonly RecordedErasure[]
}

export interface RecordedErasure {
  readonly receipt: string
  /** Operations before it was asked for, and before it was confirmed. */
  readonly askedAt: number
  readonly confirmedAt: number
  /** Must be gone from the disk once it is confirmed. */
  readonly wrappedKey: Uint8Array
}

/** Compiles the recorder; `undefined` when this machine has no C compiler. */
export function compileRecorder(folder: string): string | undefined {
  const library = join(folder, 'recorder.so')
  for (const compiler of ['cc', 'gcc', 'clang']) {
    try {
      execFileSync(compiler, ['-O2', '-shared', '-fPIC', '-o', library, RECORDER_SOURCE, '-ldl', '-lpthread'])
      return library
    } catch (thrown) {
      if ((thrown as { code?: unknown }).code !== 'ENOENT') throw thrown
    }
  }
  return undefined
}

/** Runs the script in `folder` under the recorder; the seed says when the gateway is killed as it starts. */
export async function record(folder: string, recorder: string, seed: number): Promise<Recording> {
  const random = createRandom(seed)
  return await recordScript(folder, recorder, {}, async (script) => {
    for (let i = 0; i < EARLY_KILLS; i++) await script.killStart(random.below(SLOWEST_START_MS))
    return await script.run()
  })
}

/** Records a few streams of one gateway on a slow disk: what must wait for a sync waits long, and what does not shows. */
export async function recordStreams(folder: string, recorder: string, build?: string): Promise<Recording> {
  const setting = { build, environment: { COUNTERSIGN_TRACE_SYNC_MS: String(SLOW_SYNC_MS) } }
  return await recordScript(folder, recorder, setting, (script) => script.runStreams(SLOW_STREAMS))
}

async function recordScript(
  folder: string,
  recorder: string,
  setting: GatewayProcessOptions,
  run: (script: Script) => Promise<Keys>,
): Promise<Recording> {
  const root = join(folder, 'disk')
  const dataRoot = join(root, 'data')
  mkdirSync(root, { recursive: true })
  const upstream = await startUpstreamProcess()
  try {
    const upstreamUrl = upstream.url
    const script = new Script(new Recorder(folder, root, recorder, { ...setting, upstreamUrl }), dataRoot)
    const keys = await run(script)
    return { root, dataRoot, upstreamUrl, keys, ...place(script) }
  } finally {
    await upstream.close()
  }
}

/** Starts gateways one after the other, each with a trace of its own: a kill may cut the end of a trace off. */
class Recorder {
  readonly #folder: string
  readonly #root: string
  readonly #library: string
  readonly #setting: GatewayProcessOptions
  #starts = 0

  constructor(folder: string, root: string, library: string, setting: GatewayProcessOptions) {
    this.#folder = folder
    this.#root = root
    this.#library = library
    this.#setting = setting
  }

  start(dataRoot: string): GatewayProcess {
    return startGatewayProcess(dataRoot, {
      ...this.#setting,
      environment: {
        ...this.#setting.environment,
        LD_PRELOAD: this.#library,
        COUNTERSIGN_TRACE_ROOT: this.#root,
        COUNTERSIGN_TRACE_FILE: this.#trace(this.#starts++),
        COUNTERSIGN_TRACE_STOP: this.#stop,
      },
    })
  }

  /** Kills it between two recorded calls; one that makes no calls is killed where it stands. */
  async kill(gateway: GatewayProcess): Promise<void> {
    writeFileSync(this.#stop, '')
    await Promise.race([gateway.exited, sleep(IDLE_MS)])
    await gateway.kill()
    rmSync(this.#stop)
  }

  operations(): readonly Operation[] {
    const traces = Array.from({ length: this.#starts }, (_, i) => this.#trace(i)).filter((path) => existsSync(path))
    return traces.flatMap((path) => parseTrace(readFileSync(path)))
  }

  #trace(start: number): string {
    return join(this.#folder, `trace-${start}`)
  }

  get #stop(): string {
    return join(this.#folder, 'stop')
  }
}

class Script {
  readonly ledger = createLedger()
  readonly erasures: Pick<RecordedErasure, 'receipt' | 'askedAt' | 'wrappedKey'>[] = []
  readonly recorder: Recorder
  readonly #dataRoot: string
  #asked = 0

  constructor(recorder: Recorder, dataRoot: string) {
    this.recorder = recorder
    this.#dataRoot = dataRoot
  }

  async killStart(delayMs: number): Promise<void> {
    const gateway = this.#start()
    await sleep(delayMs)
    await this.recorder.kill(gateway)
  }

  async run(): Promise<Keys> {
    const first = this.#start()
    const url = await listening(first)
    for (let i = 0; i < 3; i++) await this.#burst(url)
    await this.#published(url)
    await this.#erase(url, 0)
    await this.#burst(url)
    await this.#published(url)
    const keys = readKeys(this.#dataRoot, await readOrigin(url))
    await this.#killUnderLoad(first, url)

    const second = this.#start()
    const secondUrl = await listening(second)
    while (this.ledger.answers.length < ENOUGH_ANSWERS) await this.#burst(secondUrl, creditQuestion)
    await this.#published(secondUrl)
    await this.#erase(secondUrl, 1)
    await this.#burst(secondUrl)
    await second.close()

    const third = this.#start()
    await this.#killUnderLoad(third, await listening(third))
    const fourth = this.#start()
    await listening(fourth)
    await fourth.close()
    return keys
  }

  /** Streams one after the other, then a kill. */
  async runStreams(count: number): Promise<Keys> {
    const gateway = this.#start()
    const url = await listening(gateway)
    for (let i = 0; i < count; i++) await ask(url, this.ledger, chatQuestion('mock-small', 'stream', this.#asked++))
    const keys = readKeys(this.#dataRoot, await readOrigin(url))
    await this.recorder.kill(gateway)
    return keys
  }

  #start(): GatewayProcess {
    return this.recorder.start(this.#dataRoot)
  }

  async #burst(url: string, questionOf = mixedQuestion): Promise<void> {
    await Promise.all(Array.from({ length: BURST }, () => ask(url, this.ledger, questionOf(this.#asked++))))
  }

  async #killUnderLoad(gateway: GatewayProcess, url: string): Promise<void> {
    await this.#burst(url)
    const load = this.#burst(url)
    await sleep(LOAD_MS)
    await this.recorder.kill(gateway)
    await load
  }

  async #published(url: string): Promise<void> {
    await sleep(1300)
    await lookAtCheckpoint(url, this.ledger)
  }

  async #erase(url: string, number: number): Promise<void> {
    const held = this.ledger.answers.filter(({ form, isWhole }) => form === 'held' && isWhole)
    const { receipt } = held[number] ?? { receipt: '' }
    const wrappedKey = readWrappedKey(this.#dataRoot, receipt)
    this.erasures.push({ receipt, wrappedKey, askedAt: this.recorder.operations().length })
    const token = readFileSync(keyPaths(dataFolderAt(this.#dataRoot).keys).operatorToken, 'utf8').trim()
    const headers = { authorization: `Bearer ${token}` }
    const reply = await fetch(`${url}/receipts/${receipt}/content`, { method: 'DELETE', headers })
    if (reply.status !== 200) throw new Error(`erasing was answered ${reply.status} ${await reply.text()}`)
  }
}

async function listening(gateway: GatewayProcess): Promise<string> {
  const url = await gateway.ready
  if (url === undefined) throw new Error(`the gateway did not start: ${gateway.complaints.join('; ')}`)
  return url
}

function readWrappedKey(dataRoot: string, receipt: string): Uint8Array {
  const folder = dataFolderAt(dataRoot)
  const database = openDatabaseReadOnly(folder.database)
  const vaultKeys = openDatabaseReadOnly(folder.vaultKeys)
  try {
    const statements = new StatementReader(createNodeCrypto(), database)
    const index = statements.byReceipt(receipt)?.index ?? -1
    const keyId = statements.vaultRow(index)?.keyId
    const wrapped = vaultKeys.prepare('SELECT wrapped FROM keys WHERE id = ?').pluck().get(keyId)
    if (!Buffer.isBuffer(wrapped)) throw new Error('the vault has no key for that answer')
    return wrapped
  } finally {
    database.close()
    vaultKeys.close()
  }
}

/** Finds where in the trace each answer, head and confirmation left. What was received must have been sent. */
function place({ recorder, ledger, erasures }: Script) {
  const operations = recorder.operations()
  const sent = sentIn(operations)
  const erased = new Map<string, number>()
  for (const { at, text } of sent) {
    for (const [, receipt = ''] of text.matchAll(/\{"receipt":"([0-9a-f]{32})","erased":true\}/g))
      erased.set(receipt, at)
  }
  return {
    operations,
    answers: placeAnswers(ledger.answers, sent),
    heads: [...ledger.heads].map((note) => ({
      at: found(sent.find(({ text }) => text.includes(note))?.at, 'a checkpoint'),
      note,
    })),
    erasures: erasures.map((erasure) => ({
      ...erasure,
      confirmedAt: found(erased.get(erasure.receipt), 'an erasure'),
    })),
  }
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
