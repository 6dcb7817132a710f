/** What a request goes on from that an upstream keeps: whose it is, and where it is kept. @spec spec/http.md */
import { CountersignError, quote } from '@countersign/verify'
import type { ApiKey } from '../access/api-key.ts'
import type { RouteTarget } from '../config/config.ts'
import type { Dialect } from '../dialects/dialect.ts'
import type { ScannedObject } from '../dialects/json-scan.ts'
import { readReferences } from '../dialects/openai-responses.ts'
import type { Services } from '../services.ts'
import type { StatementReader } from '../store/statement-reader.ts'
import { type AdmittedRequest, NO_KEY } from './admitted-request.ts'
import { noConversation } from './conversations.ts'

/** What a request goes on from. */
export interface Kept {
  /** Upstreams that keep it: the request is for them alone. None where nobody here knows one. */
  readonly upstreams: readonly string[]
  /** The conversation that it names. */
  readonly conversation: string | undefined
}

interface Asking {
  readonly dialect: Dialect
  readonly key: ApiKey | undefined
}

const NOTHING: Kept = { upstreams: [], conversation: undefined }

/** Of `false`. */
const LETTER_F = 0x66

/**
 * Finds what a request goes on from. Refuses what would make an answer without a receipt, or reach into somebody else's.
 *
 * @throws {CountersignError} `request/malformed`, `request/not-found`, `shape/*`, `json/duplicate-key`
 */
export function findKept(
  { statements }: { readonly statements: StatementReader },
  { dialect, key }: Asking,
  scanned: ScannedObject | undefined,
): Kept {
  if (dialect.name !== 'openai-responses' || scanned === undefined) return NOTHING
  requireForeground(scanned)
  const { previous, conversation } = readReferences(scanned)
  const upstreams = [
    previous === undefined ? undefined : keeperOfAnswer(statements, previous, key),
    conversation === undefined ? undefined : keeperOfConversation(statements, conversation, key),
  ]
  return { upstreams: upstreams.filter((each) => each !== undefined), conversation }
}

/**
 * Begins with the conversation of a request, where it names one; call what it returns when the request is over.
 *
 * @throws {CountersignError} `request/not-found` when it is somebody else's, or may become so
 */
export function beginConversation(
  { conversations, statements }: Pick<Services, 'conversations' | 'statements'>,
  { conversation, key }: Pick<AdmittedRequest, 'conversation' | 'key'>,
): () => void {
  if (conversation === undefined) return () => {}
  const end = conversations.begin(conversation, key?.id ?? NO_KEY)
  try {
    // Once more: it may have become somebody's since the request was admitted.
    keeperOfConversation(statements, conversation, key)
  } catch (thrown) {
    end()
    throw thrown
  }
  return end
}

/**
 * The places of a route that may be asked: those at the upstreams that keep what the request goes on from.
 *
 * @throws {CountersignError} `request/not-found` when there is none
 */
export function placesThatKeep(
  route: readonly RouteTarget[],
  { upstreams }: Kept,
  model: string,
): readonly RouteTarget[] {
  if (upstreams.length === 0) return route
  const places = route.filter(({ upstream }) => upstreams.every((each) => each === upstream))
  if (places.length > 0) return places
  const message = `what this request goes on from is kept where the model ${quote(model)} does not answer; ask for the model that gave it`
  throw new CountersignError('request/not-found', message)
}

function requireForeground(scanned: ScannedObject): void {
  const { kind = 'null', start = 0 } = scanned.members.get('background') ?? {}
  const isFalse = kind === 'boolean' && scanned.bytes[start] === LETTER_F
  if (kind === 'null' || isFalse) return
  const why = 'an answer in the background would leave without a receipt; ask for it without, or as a stream'
  throw new CountersignError('request/malformed', `background: ${why}`)
}

/**
 * The upstream that keeps an answer. For holders of a key it must be one that was given to that very key. Where none is
 * asked for, one that nobody here knows may be from before: it goes where the route says.
 */
function keeperOfAnswer(statements: StatementReader, id: string, key: ApiKey | undefined): string | undefined {
  const upstream = statements.upstreamOf(id, key?.id ?? NO_KEY)
  if (upstream !== undefined || (key === undefined && !statements.isKept(id))) return upstream
  throw new CountersignError('request/not-found', `previous_response_id: no answer ${quote(id)} was given to this key`)
}

/**
 * The upstream that keeps a conversation. Nobody says here whose it is, so it is theirs who have the first answer in it,
 * and for everybody else it is none.
 */
function keeperOfConversation(statements: StatementReader, id: string, key: ApiKey | undefined): string | undefined {
  const known = statements.conversation(id)
  if (known === undefined || known.keyId === (key?.id ?? NO_KEY)) return known?.upstream
  throw noConversation(id)
}
