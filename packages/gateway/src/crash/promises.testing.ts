/**
 * Checks a running gateway against what a client remembers: that every answer is on record as it was received, also one
 * that broke off, that every promise is kept, and that the log never forked. Sees what any client sees: nothing but HTTP.
 */
import {
  CountersignError,
  createMemory,
  decideRecord,
  equalBytes,
  formatNote,
  formatNoteKey,
  formatTilePath,
  type Hash,
  type Inference,
  type NoteKey,
  openCheckpoint,
  openPromise,
  parseBase64Url,
  parseDossier,
  parseInference,
  parseNote,
  parsePromiseHeader,
  parseStatement,
  parseTile,
  parseTrustFile,
  saltFor,
  TILE_WIDTH,
  type Trust,
  tileWidth,
  toBase64,
  utf8,
  type VerdictInput,
  verifyOpening,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { dataFolderAt } from '../data/data-folder.ts'
import { keyPaths, loadLogKey, loadStatementKey } from '../data/keys.ts'
import { CompactTree } from '../log/compact-tree.ts'
import type { Ledger } from './ledger.testing.ts'
import type { Answer } from './received.testing.ts'

const crypto = /* @__PURE__ */ createNodeCrypto()

/** Longest time until a head covers what was committed before a start. */
const HEAD_TIMEOUT_MS = 5000

/** What the client trusts: the keys that the data folder has. They never change. */
export interface Keys {
  readonly log: NoteKey
  readonly trust: Trust
}

export function readKeys(dataRoot: string, origin: string): Keys {
  const paths = keyPaths(dataFolderAt(dataRoot).keys)
  const log = loadLogKey(paths.log, origin, false).note
  const { spki } = loadStatementKey(paths.statement, false)
  const party = { name: 'Operator', owner: 'Operator', roles: ['operator'], keys: [{ spki: toBase64(spki) }] }
  const policy = `log ${formatNoteKey(log)}\nquorum none\n`
  const file = { format: 'countersign-trust/v1', policy, parties: [party] }
  return { log, trust: parseTrustFile(crypto, utf8(JSON.stringify(file))) }
}

/** The name of the log that a gateway keeps. */
export async function readOrigin(url: string): Promise<string> {
  return (await readHealth(url)).log.origin
}

async function readHealth(url: string): Promise<{ readonly log: { readonly origin: string; readonly size: number } }> {
  return (await (await fetch(`${url}/healthz`)).json()) as { log: { origin: string; size: number } }
}

/**
 * Everything that is wrong, one line each. All promises and heads are checked; dossiers, which take longer, of the
 * `thorough` answers alone: those without a promise can be checked in no other way.
 */
export async function findBroken(
  url: string,
  keys: Keys,
  ledger: Ledger,
  thorough: readonly Answer[],
): Promise<readonly string[]> {
  const promises = ledger.answers.flatMap(({ promise }) =>
    promise === undefined ? [] : [openPromise(crypto, parsePromiseHeader(promise), keys.log)],
  )
  const needed = Math.max(0, ...promises.map(({ index }) => index + 1))
  const log = await readLog(url, needed)
  const problems: string[] = []
  for (const { index, leafHash, receipt } of promises) {
    const leaf = log.leaves[index]
    if (leaf === undefined) problems.push(`lost: entry ${index}, promised for ${receipt}, is not in the log`)
    else if (!equalBytes(leaf, leafHash)) problems.push(`broken promise: entry ${index} is not the one for ${receipt}`)
  }
  for (const { form, isWhole, promise, receipt } of ledger.answers) {
    if (isWhole && promise === undefined && form !== 'large') problems.push(`unpromised: ${receipt} came to its end`)
  }
  for (const note of ledger.heads) problems.push(...headProblems(note, keys.log, log))
  const input = { crypto, trust: keys.trust, atMs: Date.now(), memory: createMemory() }
  for (const answer of thorough) problems.push(...(await answerProblems(url, input, ledger, answer)))
  return problems
}

interface ReadLog {
  readonly leaves: readonly Hash[]
  /** Roots by size. */
  readonly roots: readonly Hash[]
}

/** All leaf hashes that the log serves, from its tiles. */
async function readLog(url: string, needed: number): Promise<ReadLog> {
  const end = Date.now() + HEAD_TIMEOUT_MS
  let { size } = (await readHealth(url)).log
  while (size < needed && Date.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    size = (await readHealth(url)).log.size
  }
  const leaves: Hash[] = []
  for (let index = 0; index * TILE_WIDTH < size; index++) {
    const path = formatTilePath({ level: 0, index, width: tileWidth(0, index, size) })
    leaves.push(...parseTile(new Uint8Array(await (await fetch(`${url}/log/${path}`)).arrayBuffer())))
  }
  const tree = new CompactTree(crypto)
  const roots = [tree.root()]
  for (const leaf of leaves) {
    tree.append(leaf)
    roots.push(tree.root())
  }
  return { leaves, roots }
}

function headProblems(note: string, logKey: NoteKey, { roots }: ReadLog): readonly string[] {
  const head = openCheckpoint(crypto, parseNote(utf8(note)), logKey)
  const root = roots[head.size]
  if (root === undefined) return [`rolled back: a head of ${head.size} was shown, the log has ${roots.length - 1}`]
  return equalBytes(root, head.root) ? [] : [`fork: the head of ${head.size} that was shown is not of this log`]
}

async function answerProblems(
  url: string,
  input: VerdictInput,
  ledger: Ledger,
  answer: Answer,
): Promise<readonly string[]> {
  const headers = { authorization: `Bearer ${answer.secret}`, prefer: 'wait=5' }
  const reply = await fetch(`${url}/dossiers/${answer.receipt}`, { headers })
  const body = new Uint8Array(await reply.arrayBuffer())
  if (reply.status !== 200) {
    return [`lost: receipt ${answer.receipt} answers ${reply.status} ${Buffer.from(body).toString()}`]
  }
  try {
    const dossier = parseDossier(body)
    const { row, answer: recorded } = decideRecord(dossier, input)
    const inference = parseInference(parseStatement(dossier.receipt.envelope.payload))
    checkOpenings(answer, inference)
    const kept = recorded?.content.get('response-delivered')
    const problems = [...endProblems(answer, inference), ...keptProblems(answer, kept, ledger.erasures)]
    if (row.status !== 'holds') problems.push(`the record of ${answer.receipt} is ${row.status}: ${row.reason}`)
    if (ledger.erasures.get(answer.receipt) === 'confirmed' && reply.headers.has('countersign-salts')) {
      problems.push(`the erased content of ${answer.receipt} is back`)
    }
    if (answer.promise !== undefined && dossier.promise?.text !== parsePromiseHeader(answer.promise).text) {
      problems.push(`another promise than the first for ${answer.receipt}`)
    }
    ledger.heads.add(formatNote(dossier.receipt.checkpoint))
    return problems
  } catch (thrown) {
    const why = thrown instanceof CountersignError ? `${thrown.code}: ${thrown.message}` : String(thrown)
    return [`the dossier of ${answer.receipt} does not check: ${why}`]
  }
}

/** What came to its end, or had its promise, is not `interrupted`; and not less was released than came. */
function endProblems({ receipt, response, isWhole, promise }: Answer, { finish }: Inference): readonly string[] {
  if (finish.reason !== 'interrupted') return []
  const { by, deliveredBytes = response.length } = finish
  const problems: string[] = []
  if (isWhole || promise !== undefined) problems.push(`cut short: ${receipt} is recorded as interrupted by the ${by}`)
  if (deliveredBytes < response.length) {
    problems.push(`${receipt}: ${response.length} bytes came, the statement says ${deliveredBytes}`)
  }
  return problems
}

/** The vault holds what came, and of what broke off at least that; or nothing, where nobody had promised. */
function keptProblems(
  { form, receipt, response, isWhole }: Answer,
  kept: Uint8Array | undefined,
  erasures: Ledger['erasures'],
): readonly string[] {
  const erasure = erasures.get(receipt)
  if (kept === undefined) {
    const mustBeKept = isWhole && form !== 'large' && erasure === undefined
    return mustBeKept ? [`the vault does not hold the answer of ${receipt}`] : []
  }
  if (erasure === 'confirmed') return [`the erased content of ${receipt} is back`]
  const isSame = equalBytes(isWhole ? kept : kept.subarray(0, response.length), response)
  return isSame ? [] : [`the vault holds another answer of ${receipt} than came`]
}

/** The client's own salts open the commitments to what it sent and, where that was all, to what it got. */
function checkOpenings({ salts, request, response, isWhole }: Answer, { commitments, finish }: Inference): void {
  const seed = parseBase64Url(salts)
  const open = (commitment: string | undefined, label: string, content: Uint8Array) =>
    verifyOpening(crypto, commitment ?? '', { salt: saltFor(crypto, seed, label), content })
  open(commitments['request-received'], 'request', request)
  if (isWhole && finish.reason !== 'interrupted') open(commitments['response-delivered'], 'response', response)
}
