/** Reads statements from a gateway, entry by entry, and checks that each is the one that the log's leaf is of. */
import {
  CountersignError,
  type Crypto,
  codeOf,
  equalBytes,
  FILE_LIMITS,
  Fields,
  hashLeaf,
  type Json,
  openEnvelope,
  parseBundle,
  parseEnvelope,
  parseJson,
  parseLeaf,
  TILE_WIDTH,
  toHex,
  type UnverifiedReceipt,
  verifyLeaf,
} from '@countersign/verify'
import type { HttpReader } from '../log-client/http-reader.ts'
import type { LogClient } from '../log-client/log-client.ts'
import type { KeptTree } from './kept-tree.ts'
import { MAX_STATEMENT_BYTES } from './limits.ts'
import { TreeEdge } from './tree-edge.ts'

/** What the gateway said of one entry's statement. */
export type StatementAnswer = { readonly index: number; readonly digest: string } & (
  | {
      readonly outcome: 'read'
      readonly payload: Uint8Array
      readonly keyId: string
      readonly receipt: { readonly receipt: UnverifiedReceipt; readonly bundle: Json } | undefined
    }
  /** It is for others than us. */
  | { readonly outcome: 'restricted' }
  | { readonly outcome: 'withheld' | 'differs'; readonly reason: string }
  /** The entry is no leaf of a statement. */
  | { readonly outcome: 'no-statement' }
)

const CONCURRENT = 4

export interface StatementReaderOptions {
  readonly crypto: Crypto
  readonly client: LogClient
  readonly gateway: HttpReader
}

/**
 * Asks for the statements of the entries of one bundle from `index` on, which are checked against the verified tree.
 *
 * @throws {CountersignError} `watch/*` when entries or gateway cannot be reached, or entries are not the verified ones
 */
export async function readStatements(
  { crypto, client, gateway }: StatementReaderOptions,
  tree: KeptTree,
  index: number,
): Promise<readonly StatementAnswer[]> {
  const bundle = Math.floor(index / TILE_WIDTH)
  const first = bundle * TILE_WIDTH
  const width = Math.min(TILE_WIDTH, tree.size - first)
  const entries = await client.fetchEntries(bundle, width)
  await checkEntries(crypto, tree, bundle, entries)
  const answers: StatementAnswer[] = []
  for (let at = index - first; at < width; at += CONCURRENT) {
    const some = entries.slice(at, at + CONCURRENT)
    answers.push(...(await Promise.all(some.map((entry, i) => askFor(crypto, gateway, entry, first + at + i)))))
  }
  return answers
}

/** The entries must be those that were verified: what the log serves of them now is not signed. */
async function checkEntries(
  crypto: Crypto,
  tree: KeptTree,
  bundle: number,
  entries: readonly Uint8Array[],
): Promise<void> {
  const edge = new TreeEdge(crypto)
  for (const entry of entries) edge.append(hashLeaf(crypto, entry), () => undefined)
  const isFull = entries.length === TILE_WIDTH
  const own = isFull ? edge.partial(1) : edge.partial(0)
  const known = isFull
    ? await hashAbove(tree, bundle)
    : await tree.fetchTile({ level: 0, index: bundle, width: entries.length })
  if (!equalBytes(own, known))
    throw new CountersignError('watch/bad-answer', `bundle ${bundle} has other entries than before`)
}

/** The root of a full tile of leaves stands in the tile above it, and those are all kept. */
async function hashAbove(tree: KeptTree, bundle: number): Promise<Uint8Array> {
  const index = Math.floor(bundle / TILE_WIDTH)
  const position = bundle % TILE_WIDTH
  const tile = await tree.fetchTile({ level: 1, index, width: position + 1 })
  return tile.slice(position * 32, (position + 1) * 32)
}

async function askFor(crypto: Crypto, gateway: HttpReader, entry: Uint8Array, index: number): Promise<StatementAnswer> {
  const leaf = leafOf(entry)
  if (leaf === undefined) return { index, digest: '', outcome: 'no-statement' }
  const digest = toHex(leaf.payloadHash)
  const { status, body } = await gateway.ask(`statements/${digest}`, MAX_STATEMENT_BYTES)
  if (status === 401 || status === 403) return { index, digest, outcome: 'restricted' }
  if (status === 429 || status >= 500) {
    throw new CountersignError('watch/unreachable', `statements/${digest}: answered ${status}`)
  }
  if (status !== 200) return { index, digest, outcome: 'withheld', reason: `answered ${status}` }
  try {
    const fields = new Fields(parseJson(body, FILE_LIMITS), 'statement')
    fields.literal('statement', digest)
    fields.integer('index')
    const envelope = parseEnvelope(fields.required('envelope'), fields.at('envelope'))
    const bundle = fields.optional('bundle', () => fields.required('bundle'))
    verifyLeaf(crypto, leaf, envelope, leaf.spki)
    const payload = openEnvelope(crypto, envelope, leaf.spki)
    const receipt = bundle === undefined ? undefined : { receipt: parseBundle(bundle), bundle }
    return { index, digest, outcome: 'read', payload, keyId: toHex(crypto.sha256(leaf.spki)), receipt }
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown
    return { index, digest, outcome: 'differs', reason: thrown.message }
  }
}

function leafOf(entry: Uint8Array) {
  try {
    return parseLeaf(entry)
  } catch (thrown) {
    if (codeOf(thrown) === undefined) throw thrown
    return undefined
  }
}
