/** A witness without its server: its key, its state, and what it answers. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { CountersignError, type Crypto, codeOf, formatNoteKey, type NoteKey, toHex, utf8 } from '@countersign/verify'
import { makePrivateFolder, writeDurably } from '../durable-file.ts'
import { type Decision, decideCheckpoint, type Effect, openSubmission, type Reply, tooMany } from './decision.ts'
import { keepEvidence } from './evidence.ts'
import { createRateLimit, type RateLimit } from './rate-limit.ts'
import type { WitnessConfig } from './witness-config.ts'
import { generateKeyPem, loadWitnessKey, parseWitnessKey, type WitnessKey } from './witness-key.ts'
import type { WitnessLog } from './witness-log.ts'
import { WitnessStore } from './witness-store.ts'

export interface CosignerOptions {
  readonly crypto: Crypto
  readonly config: WitnessConfig
  /** The key file was made elsewhere, and has never signed anything: a state may be begun for it. */
  readonly isKeyUnused?: boolean
  readonly now: () => number
  readonly log: WitnessLog
  /** The state cannot be trusted any more; the process must end. */
  readonly onHalt: (error: CountersignError) => void
}

/** An answer to a request, with what a line of the log says of it. */
export interface Answer {
  readonly reply: Reply
  readonly origin: string
  readonly oldSize: number
  readonly size: number
}

export class Cosigner {
  readonly #options: CosignerOptions
  readonly #store: WitnessStore
  readonly #key: WitnessKey
  readonly #rate: RateLimit
  readonly #origins: ReadonlyMap<string, string>
  #failure: CountersignError | undefined

  /**
   * Opens the state, making it and the key at the first start.
   *
   * @throws {CountersignError} `data/*`, `key/malformed`, `config/missing-file`, `disk/full`
   */
  constructor(options: CosignerOptions) {
    const { crypto, config } = options
    this.#options = options
    const { store, key } = openState(options)
    this.#store = store
    this.#key = key
    this.#rate = createRateLimit(config.rates)
    this.#origins = new Map([...config.logs.keys()].map((origin) => [toHex(crypto.sha256(utf8(origin))), origin]))
  }

  get key(): NoteKey {
    return this.#key.note
  }

  /** Why the last checkpoint could not be recorded; `undefined` when the witness is well. */
  get failure(): CountersignError | undefined {
    return this.#failure
  }

  /**
   * Answers a request. When this returns a cosignature, the head under it is durable.
   *
   * @throws {CountersignError} as {@link openSubmission}; `disk/full`, `data/damaged`, after which nothing was signed
   */
  add(body: Uint8Array): Answer {
    const { crypto, config, now } = this.#options
    if (codeOf(this.#failure) === 'data/damaged') throw this.#failure
    const submission = openSubmission(crypto, config.logs, body)
    const { origin, size } = submission.checkpoint
    const nowMs = now()
    const ports = { crypto, cosign: this.#key.cosign }
    const decision = this.#decide(() =>
      this.#store.decide(origin, (state) => {
        const decided = decideCheckpoint(ports, state, { submission, nowMs })
        const isWriting = decided.effects.some(({ kind }) => kind === 'persist')
        return isWriting && !this.#rate.admit(origin, nowMs) ? tooMany(state) : decided
      }),
    )
    return { reply: this.#carryOut(decision), origin, oldSize: submission.request.oldSize, size }
  }

  /** The newest cosigned checkpoint of the log whose origin has this SHA-256, in hexadecimal. */
  latest(originHash: string): string | undefined {
    const origin = this.#origins.get(originHash)
    return origin === undefined ? undefined : this.#store.head(origin)?.note
  }

  close(): void {
    this.#store.close()
  }

  #decide(decide: () => Decision): Decision {
    try {
      const decision = decide()
      // Only a write shows that writes go through again.
      if (decision.effects.some(({ kind }) => kind === 'persist')) this.#failure = undefined
      return decision
    } catch (thrown) {
      if (!(thrown instanceof CountersignError)) throw thrown
      this.#failure = thrown
      if (thrown.code === 'data/damaged') this.#options.onHalt(thrown)
      throw thrown
    }
  }

  /** What is left to do once the transaction is committed. */
  #carryOut({ effects }: Decision): Reply {
    let reply: Reply | undefined
    for (const effect of effects) {
      if (effect.kind === 'keep-evidence') this.#keep(effect)
      if (effect.kind === 'reply') reply = effect.reply
    }
    if (reply === undefined) throw new Error('a decision without a reply')
    return reply
  }

  /** Evidence that cannot be written is named in the log; the refusal stands all the same. */
  #keep(effect: Extract<Effect, { kind: 'keep-evidence' }>): void {
    const { crypto, config, log } = this.#options
    const { origin } = effect
    try {
      const path = keepEvidence(crypto, join(config.dataRoot, 'evidence'), effect)
      log.line('error', 'fork', { origin, evidence: path ?? 'not kept: there is enough of it' })
    } catch (thrown) {
      log.line('error', 'fork', { origin, evidence: `not kept: ${(thrown as { code?: string }).code ?? 'unknown'}` })
    }
  }
}

/**
 * Opens state and key, which belong together: a key that has signed, over a state that has forgotten, may sign a fork. So a
 * state is bound to a key before there is a file of it, and one that is bound to none takes no key that it did not make.
 */
function openState({ crypto, config, isKeyUnused = false }: CosignerOptions) {
  const { dataRoot, keyFile, name } = config
  makePrivateFolder(dataRoot)
  const path = join(dataRoot, 'witness.db')
  const hasKey = existsSync(keyFile)
  if (!existsSync(path) && hasKey && !isKeyUnused) throw forgotten()
  const store = new WitnessStore(path)
  try {
    const isBound = store.key() !== undefined
    if (!isBound && hasKey && !isKeyUnused) throw forgotten()
    if (!hasKey && store.lastSeconds() === 0) {
      // A start that ends between these two leaves a state that has signed nothing, and the next one binds it anew.
      const pem = generateKeyPem()
      store.bind(formatNoteKey(parseWitnessKey(crypto, pem, name).note))
      writeDurably(keyFile, pem)
    }
    const key = loadWitnessKey(crypto, keyFile, name)
    const text = formatNoteKey(key.note)
    if (!isBound && hasKey) store.bind(text)
    if (store.key() !== text) {
      throw new CountersignError('data/damaged', 'the state belongs to another key or name; use another data folder')
    }
    return { store, key }
  } catch (thrown) {
    store.close()
    throw thrown
  }
}

function forgotten(): CountersignError {
  return new CountersignError(
    'data/damaged',
    'there is a key but no state, or an empty one. A witness that has lost its state needs a new key and a new name; ' +
      'for a key that was made elsewhere and has never signed, say --unused-key once',
  )
}
