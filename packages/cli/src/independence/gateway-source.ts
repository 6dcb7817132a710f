/** What a gateway shows to everyone: its published checkpoint, and what its deployments offer. */
import {
  CountersignError,
  confirmationsAsOf,
  FILE_LIMITS,
  Fields,
  findSigner,
  meetsQuorum,
  type NoteKey,
  offersOf,
  openCheckpoint,
  openConfirmations,
  openReceipt,
  type Party,
  parseBundle,
  parseDeployment,
  parseJson,
  parseModel,
  parseNote,
  parseStatement,
  quote,
  type Role,
  type ServedModel,
} from '@countersign/verify'
import { getBytes } from '../gateway-client.ts'
import type { Gathering } from './sources.ts'

const MAX_CHECKPOINT_BYTES = 64 * 1024
const MAX_LIST_BYTES = 1024 * 1024
const MAX_STATEMENT_BYTES = 4 * 1024 * 1024
const MAX_DEPLOYMENTS = 1000

/** Most statements that are asked for. */
const MAX_STATEMENTS = 256

/** After these there is no going on. */
const FATAL: ReadonlySet<string> = new Set(['gateway/unreachable', 'independence/too-many'])

/**
 * Counts the cosignatures on a gateway's published checkpoint, and what its deployments offer by its public statements.
 *
 * @throws {CountersignError} `gateway/*`, and what the checkpoint is refused with; statements that do not check are told
 */
export async function addGateway(gathering: Gathering, url: string): Promise<void> {
  const base = url.replace(/\/+$/, '').replace(/\/log$/, '')
  const { crypto, trust, atMs, tally } = gathering
  const note = parseNote(await getBytes(`${base}/log/checkpoint`, MAX_CHECKPOINT_BYTES))
  const origin = note.text.split('\n')[0] ?? ''
  const log = trust.policy.logs.find((each) => each.key.name === origin)
  if (log === undefined) {
    throw new CountersignError('policy/unknown-log', `the trust file has no key for the log ${quote(origin)}`)
  }
  openCheckpoint(crypto, note, log.key)
  const confirmations = confirmationsAsOf(openConfirmations(crypto, note, trust.policy), atMs)
  tally.addHead(confirmations, meetsQuorum(trust.policy, confirmations))
  await new Offers(gathering, base, log.key).add()
}

/** Reads the manifests of a gateway, and who registered their models. */
class Offers {
  readonly #gathering: Gathering
  readonly #base: string
  readonly #logKey: NoteKey
  #asked = 0

  constructor(gathering: Gathering, base: string, logKey: NoteKey) {
    this.#gathering = gathering
    this.#base = base
    this.#logKey = logKey
  }

  async add(): Promise<void> {
    const list = parseJson(await getBytes(`${this.#base}/deployments`, MAX_LIST_BYTES), FILE_LIMITS)
    const digests = new Fields({ deployments: list }, 'gateway').list('deployments', MAX_DEPLOYMENTS, (item, path) =>
      new Fields(item, path).hex('statement', 32),
    )
    for (const digest of digests) {
      const isCounted = await this.#attempt(digest, async () => {
        const { statement, find } = await this.#read(digest)
        const operator = find('operator')
        if (operator === undefined) {
          throw new CountersignError('signature/unknown-key', 'no operator in the trust file has signed this')
        }
        const manifest = parseDeployment(statement)
        const publishers = new Map<ServedModel, Party>()
        for (const model of manifest.models) {
          await this.#attempt(model.registration, async () => {
            const publisher = await this.#publisherOf(model)
            if (publisher !== undefined) publishers.set(model, publisher)
          })
        }
        this.#gathering.tally.addContributions(offersOf(manifest, operator, (model) => publishers.get(model)))
      })
      if (!isCounted) this.#gathering.tally.passOver()
    }
  }

  /** `undefined` for a model that its operator registered itself: it has no publisher that anyone knows. */
  async #publisherOf({ registration, digest }: ServedModel): Promise<Party | undefined> {
    const { statement, find } = await this.#read(registration)
    const { files } = parseModel(this.#gathering.crypto, statement)
    if (files.some((file) => file.digest === digest.sha256)) return find('publisher')
    throw new CountersignError('statement/mismatch', 'the registered model has no file of that digest')
  }

  /** A public statement that is in the log, and who signed it, as far as a role of the trust file knows. */
  async #read(digest: string) {
    if (this.#asked++ >= MAX_STATEMENTS) {
      throw new CountersignError('gateway/refused', `only ${MAX_STATEMENTS} statements of a gateway are asked for`)
    }
    const { crypto, trust } = this.#gathering
    const bytes = await getBytes(`${this.#base}/statements/${digest}`, MAX_STATEMENT_BYTES)
    const bundle = new Fields(parseJson(bytes, FILE_LIMITS), 'statement').required('bundle')
    const opened = openReceipt(crypto, parseBundle(bundle, 'bundle'), this.#logKey)
    if (opened.statement !== digest) {
      throw new CountersignError('statement/mismatch', 'the gateway gave another statement than the one asked for')
    }
    const place = { origin: this.#logKey.name, index: opened.index }
    return {
      statement: parseStatement(opened.payload),
      find: (role: Role) => findSigner(trust, opened.keyId, role, place)?.party,
    }
  }

  /** What does not check is told, and `false`; but when the gateway is gone, so is the report. */
  async #attempt(digest: string, run: () => Promise<void>): Promise<boolean> {
    try {
      await run()
      return true
    } catch (thrown) {
      if (!(thrown instanceof CountersignError) || FATAL.has(thrown.code)) throw thrown
      this.#gathering.note(`statement ${digest.slice(0, 16)}…: ${thrown.code}: ${thrown.message}`)
      return false
    }
  }
}
