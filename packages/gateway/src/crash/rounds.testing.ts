/** Kills a gateway under load at random moments, again and again on one data folder, and checks what it promised. */
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { dataFolderAt } from '../data/data-folder.ts'
import { readIntents } from '../journal/intent-journal.ts'
import { checkLog } from '../log/fsck.ts'
import { openDatabaseReadOnly } from '../store/database.ts'
import { StatementReader, type StatementRow } from '../store/statement-reader.ts'
import { type GatewayProcess, startGatewayProcess } from './gateway-process.testing.ts'
import { ask, createLedger, type Ledger, lookAtCheckpoint } from './ledger.testing.ts'
import { findBroken, type Keys, readKeys, readOrigin } from './promises.testing.ts'
import { type AnswerForm, mixedQuestion } from './question.testing.ts'
import { createRandom, type Random } from './random.testing.ts'
import { startUpstreamProcess } from './upstream-process.testing.ts'

const CONNECTIONS = 4
/** Answers of one round, so that many rounds stay short. */
const MAX_ANSWERS_PER_ROUND = 60
const LONGEST_LOAD_MS = 700
const LONGEST_START_MS = 500
const ROUNDS_PER_FSCK = 10

/** Answers of one check whose dossiers are read; promises and heads are checked of all. */
const THOROUGH_PER_ROUND = 8
const THOROUGH_AT_THE_END = 200

export interface RoundsReport {
  readonly rounds: number
  readonly answers: number
  readonly heads: number
  /** Rounds that were killed before the gateway listened. */
  readonly killedAtStart: number
  /** Requests that a kill interrupted and the next start recorded. */
  readonly interrupted: number
  /** Answers that were received to their end, by form. */
  readonly whole: { readonly [form in AnswerForm]: number }
  /** Answers of which a part was received, and that a start recorded as interrupted. */
  readonly cutByKill: number
  /** One line each, with the round; the rounds end at the first that has any. */
  readonly problems: readonly string[]
}

export interface RoundsOptions {
  readonly rounds: number
  readonly seed: number
  readonly onRound?: (round: number, answers: number) => void
}

export async function runRounds(dataRoot: string, { rounds, seed, onRound }: RoundsOptions): Promise<RoundsReport> {
  const upstream = await startUpstreamProcess()
  try {
    const killer = new Killer(dataRoot, upstream.url, createRandom(seed))
    let round = 0
    for (; round < rounds && killer.problems.length === 0; round++) {
      await killer.round()
      if (round % ROUNDS_PER_FSCK === ROUNDS_PER_FSCK - 1) killer.checkKilled()
      onRound?.(round + 1, killer.ledger.answers.length)
    }
    if (killer.problems.length === 0) await killer.finish()
    return reportOf(killer, round)
  } finally {
    await upstream.close()
  }
}

function reportOf({ ledger, killedAtStart, interrupted, cutByKill, problems }: Killer, rounds: number): RoundsReport {
  const whole = { held: 0, stream: 0, large: 0 }
  for (const { form, isWhole } of ledger.answers) if (isWhole) whole[form]++
  return {
    rounds,
    answers: ledger.answers.length,
    heads: ledger.heads.size,
    killedAtStart,
    interrupted,
    whole,
    cutByKill: cutByKill.size,
    problems: problems.map((problem) => `round ${rounds}: ${problem}`),
  }
}

class Killer {
  readonly ledger: Ledger = createLedger()
  readonly problems: string[] = []
  killedAtStart = 0
  interrupted = 0
  /** Receipts. */
  readonly cutByKill = new Set<string>()
  readonly #dataRoot: string
  readonly #upstreamUrl: string
  readonly #random: Random
  #keys: Keys | undefined
  #asked = 0

  constructor(dataRoot: string, upstreamUrl: string, random: Random) {
    this.#dataRoot = dataRoot
    this.#upstreamUrl = upstreamUrl
    this.#random = random
  }

  /** Starts on what the last kill left; kills during the start, or checks, puts under load, and kills. */
  async round(): Promise<void> {
    const intents = unrecorded(this.#dataRoot)
    const gateway = this.#start()
    if (this.#random.chance(0.25)) {
      await sleep(this.#random.below(LONGEST_START_MS))
      await gateway.kill()
      this.killedAtStart++
      return
    }
    const url = await this.#listening(gateway)
    if (url === undefined) return
    await this.#check(url, intents, THOROUGH_PER_ROUND)
    await this.#loadUntilKilled(gateway, url)
  }

  /** The folder as the kill left it: nothing but notes. */
  checkKilled(): void {
    for (const { check, severity, detail } of checkLog(this.#dataRoot).findings) {
      if (severity === 'error') this.problems.push(`fsck after a kill: ${check}: ${detail}`)
    }
  }

  /** A last start, many dossiers, a clean close, and a log without findings. */
  async finish(): Promise<void> {
    const intents = unrecorded(this.#dataRoot)
    const gateway = this.#start()
    const url = await this.#listening(gateway)
    if (url === undefined) return
    await this.#check(url, intents, THOROUGH_AT_THE_END)
    await gateway.close()
    for (const { check, severity, detail } of checkLog(this.#dataRoot).findings) {
      if (severity === 'error' || check !== 'tile') this.problems.push(`fsck after a close: ${check}: ${detail}`)
    }
  }

  #start(): GatewayProcess {
    return startGatewayProcess(this.#dataRoot, { upstreamUrl: this.#upstreamUrl })
  }

  async #listening(gateway: GatewayProcess): Promise<string | undefined> {
    const url = await gateway.ready
    if (url === undefined) this.problems.push(`the gateway does not start: ${gateway.complaints.join('; ')}`)
    else this.#keys ??= readKeys(this.#dataRoot, await readOrigin(url))
    return url
  }

  async #check(url: string, intents: readonly string[], thorough: number): Promise<void> {
    const { ledger } = this
    if (this.#keys !== undefined)
      this.problems.push(...(await findBroken(url, this.#keys, ledger, this.#choose(thorough))))
    const began = new Set(ledger.answers.filter(({ response }) => response.length > 0).map(({ receipt }) => receipt))
    for (const receipt of intents) {
      if (!isInterrupted(this.#dataRoot, receipt))
        this.problems.push(`the interrupted request ${receipt} was not recorded as such`)
      else this.interrupted++
      if (began.has(receipt)) this.cutByKill.add(receipt)
    }
    const unpromised = ledger.answers.filter(({ promise }) => promise === undefined)
    this.problems.push(...unpromisedProblems(this.#dataRoot, unpromised))
  }

  /** Half of them the newest, half from all of the past; and those that the last kill cut off. */
  #choose(count: number): Ledger['answers'] {
    const { answers } = this.ledger
    if (answers.length <= count) return answers
    const past = Array.from({ length: count / 2 }, () => this.#random.pick(answers))
    const cut = answers.slice(-CONNECTIONS).filter(({ isWhole }) => !isWhole)
    return [...new Set([...answers.slice(-count / 2), ...past, ...cut])]
  }

  async #loadUntilKilled(gateway: GatewayProcess, url: string): Promise<void> {
    const limit = this.ledger.answers.length + MAX_ANSWERS_PER_ROUND
    const client = async () => {
      let isAnswered = true
      while (isAnswered && this.ledger.answers.length < limit) {
        isAnswered = await ask(url, this.ledger, mixedQuestion(this.#asked++))
      }
    }
    const load = Promise.all(Array.from({ length: CONNECTIONS }, client))
    await sleep(this.#random.below(LONGEST_LOAD_MS))
    if (this.#random.chance(0.5)) await lookAtCheckpoint(url, this.ledger)
    await gateway.kill()
    await load
    for (const line of gateway.complaints) this.problems.push(`the gateway complained: ${line}`)
  }
}

/** Receipts of the journal that the log does not have: what the next start must record. */
function unrecorded(dataRoot: string): readonly string[] {
  const intents = readIntents(dataFolderAt(dataRoot).journal).map(({ receipt }) => receipt)
  // Before its first answer, a gateway has neither journal nor tables.
  if (intents.length === 0) return []
  return withStatements(dataRoot, (statements) =>
    intents.filter((receipt) => statements.byReceipt(receipt) === undefined),
  )
}

/** Every answer has a statement, and a whole one its own. That none has two, the check of the log says. */
function unpromisedProblems(dataRoot: string, answers: Ledger['answers']): readonly string[] {
  return withStatements(dataRoot, (statements) =>
    answers.flatMap(({ receipt, isWhole }) => {
      const row = statements.byReceipt(receipt)
      if (row === undefined) return [`lost: receipt ${receipt} has no statement`]
      return isWhole && saysInterrupted(row) ? [`cut short: ${receipt} is recorded as interrupted`] : []
    }),
  )
}

function isInterrupted(dataRoot: string, receipt: string): boolean {
  return withStatements(dataRoot, (statements) => {
    const row = statements.byReceipt(receipt)
    return row !== undefined && saysInterrupted(row)
  })
}

function saysInterrupted({ payload }: StatementRow): boolean {
  return Buffer.from(payload).includes('"finish":{"reason":"interrupted"')
}

function withStatements<T>(dataRoot: string, read: (statements: StatementReader) => T): T {
  const database = openDatabaseReadOnly(dataFolderAt(dataRoot).database)
  try {
    return read(new StatementReader(createNodeCrypto(), database))
  } finally {
    database.close()
  }
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
