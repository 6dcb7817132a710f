/** Witnesses, as the publishing thread has them: what is kept of them, and the check that comes before they are asked. */
import { existsSync, readFileSync } from 'node:fs'
import {
  CountersignError,
  type Crypto,
  equalBytes,
  parseCheckpoint,
  parseNote,
  parseTlogPolicy,
  type TlogPolicy,
  utf8,
} from '@countersign/verify'
import { checkpointPath } from '../log/open-log.ts'
import type { SignedHead } from '../log/sequencer.ts'
import type { TileReader } from '../log/tile-reader.ts'
import { readCosignedHeads } from '../store/cosigned-heads.ts'
import type { Sqlite } from '../store/database.ts'
import { Asker, type FromAsker } from './asker.ts'
import { type CosignedHead, openCosignedHead } from './cosigned-head.ts'

/** What the thread is told of witnesses. */
export interface WitnessThreadData {
  /** A whole policy, the log's line in it. */
  readonly policy: string
  readonly askMs: number
  readonly quorums: readonly string[]
}

export interface CosignerParts {
  readonly crypto: Crypto
  readonly database: Sqlite
  readonly reader: Pick<TileReader, 'root' | 'consistencyPath'>
  readonly logFolder: string
  readonly send: (message: FromAsker) => void
  /** A head has more cosignatures than before. */
  readonly onCosigned: (head: SignedHead) => void
}

export interface Cosigner {
  /**
   * The note of a head with the cosignatures that came in time.
   *
   * @throws {CountersignError} `log/head-changed` for a head that is not in the database: no witness is shown it
   */
  cosigned(note: string): Promise<string>
  /** Begins to ask for the newest head in the database; nobody waits. */
  begin(): void
  setQuorums(names: readonly string[]): void
  close(): Promise<void>
}

/** Begins with the cosignatures that are in the database and on the published checkpoint. */
export function openCosigner(parts: CosignerParts, { policy: text, askMs, quorums }: WitnessThreadData): Cosigner {
  const { crypto, database, reader, send, onCosigned } = parts
  const policy = parseTlogPolicy(crypto, text)
  let isClosed = false
  const select = database.prepare('SELECT size, root, note, time_ms FROM head')
  const asker = new Asker({
    crypto,
    policy,
    quorums,
    askMs,
    kept: keptHeads(parts, policy),
    consistencyPath: (older, newer) => reader.consistencyPath(older, newer),
    report: send,
    onCosigned,
  })
  return {
    async cosigned(note) {
      const head = committedHead(reader, select.get() as HeadRow | undefined, note)
      return (await asker.gather(head)).note
    },
    begin() {
      if (isClosed) return
      const row = select.get() as HeadRow | undefined
      if (row !== undefined) asker.begin(headOf(row))
    },
    setQuorums: (names) => asker.setQuorums(names),
    close() {
      isClosed = true
      return asker.close()
    },
  }
}

interface HeadRow {
  readonly size: number
  readonly root: Uint8Array
  readonly note: string
  readonly time_ms: number
}

function headOf({ size, root, note, time_ms }: HeadRow): SignedHead {
  return { size, root: new Uint8Array(root), note, timeMs: time_ms }
}

/**
 * The head that a witness may be shown: one that the database has committed to. What a witness has seen can never be taken
 * back, so this is looked at each time and not taken on trust.
 */
function committedHead(reader: CosignerParts['reader'], row: HeadRow | undefined, note: string): SignedHead {
  const { size, root } = parseCheckpoint(parseNote(utf8(note)).text)
  if (row !== undefined && row.size >= size && equalBytes(reader.root(size), root)) {
    return { size, root, note, timeMs: row.time_ms }
  }
  const message = `a head of ${size} entries is to be published, and the database has another; no witness was asked`
  throw new CountersignError('log/head-changed', message)
}

/** Heads with their cosignatures. The commit thread has found that they belong to this tree. */
function keptHeads({ crypto, database, logFolder }: CosignerParts, policy: TlogPolicy): readonly CosignedHead[] {
  const bySize = new Map<number, CosignedHead>()
  for (const each of [...readCosignedHeads(database), ...publishedHead(logFolder)]) {
    const opened = openCosignedHead(crypto, policy, each)
    const known = bySize.get(each.size)
    if (opened.cosignatures.length > (known?.cosignatures.length ?? 0)) bySize.set(each.size, opened)
  }
  return [...bySize.values()]
}

function publishedHead(logFolder: string): readonly SignedHead[] {
  const path = checkpointPath(logFolder)
  if (!existsSync(path)) return []
  const note = readFileSync(path, 'utf8')
  const { size, root } = parseCheckpoint(parseNote(utf8(note)).text)
  return [{ size, root, note, timeMs: 0 }]
}
