/** Takes in entries: hashes each, makes every node of the tree from them, and compares all that the log serves with it. */
import {
  CountersignError,
  type Crypto,
  codeOf,
  equalBytes,
  formatTilePath,
  HASH_BYTES,
  TILE_WIDTH,
  type TileName,
  type TreeHead,
  tileWidth,
  toHex,
  verifyInclusion,
} from '@countersign/verify'
import type { LogClient } from '../log-client/log-client.ts'
import { proveInclusion } from '../log-client/tile-proofs.ts'
import { visitLeaves } from './bundle-leaves.ts'
import { LeafCheck } from './leaf-check.ts'
import { BUNDLES_AHEAD, BUNDLES_PER_SAVE, MAX_PROBLEMS } from './limits.ts'
import type { TreeProblem } from './observation.ts'
import type { TileSink, TreeEdge } from './tree-edge.ts'

export interface ExtensionOptions {
  readonly client: LogClient
  readonly crypto: Crypto
  readonly from: TreeEdge
  /** In the order of their sizes, each larger than `from`; the last is the head that the log serves. */
  readonly heads: readonly TreeHead[]
  /** Gets each tile that becomes full. */
  readonly onTile: TileSink
  /** Called now and then with how far it has come; nothing of it is confirmed by a head. */
  readonly onProgress: (edge: TreeEdge) => void
  readonly signal: AbortSignal
}

/** How far it came. */
export interface Extension {
  /** All entries that were taken in. */
  readonly edge: TreeEdge
  /** The tree at the last head that agrees; `undefined` when none does. */
  readonly verified: TreeEdge | undefined
  readonly agreeing: readonly TreeHead[]
  /** Heads that have another root than the entries give. */
  readonly differing: readonly TreeHead[]
  readonly problems: readonly TreeProblem[]
  /** Why it ended before the last head. */
  readonly failure: { readonly path: string; readonly reason: string } | undefined
  /** Entries that are no leaves of the kind that a gateway writes, and the first of them. */
  readonly malformedLeaves: { readonly count: number; readonly firstIndex: number } | undefined
}

/** A bundle and its tile as they were served, or why not. */
interface Served {
  readonly bundle: Uint8Array | CountersignError
  readonly tile: Uint8Array | CountersignError
}

/** Takes in entries up to the last head. Never throws for anything that a log can do. */
export async function extendTree(options: ExtensionOptions): Promise<Extension> {
  const pass = new Pass(options)
  await pass.run()
  return pass.result()
}

class Pass {
  readonly #options: ExtensionOptions
  readonly #target: TreeHead
  /** At first only whole tiles: the entries of the last one are hashed again, so as to compare that tile as well. */
  readonly #edge: TreeEdge
  readonly #agreeing: TreeHead[] = []
  readonly #differing: TreeHead[] = []
  readonly #problems: TreeProblem[] = []
  readonly #leaves = new LeafCheck()
  /** Full tiles of this bundle that are still to be compared. */
  #full: { readonly name: TileName; readonly bytes: Uint8Array }[] = []
  #verified: TreeEdge | undefined
  #failure: Extension['failure']
  #malformed = { count: 0, firstIndex: 0 }

  constructor(options: ExtensionOptions) {
    const target = options.heads.at(-1)
    if (target === undefined) throw new Error('there is no head to reach')
    this.#options = options
    this.#target = target
    this.#edge = options.from.wholeTiles()
  }

  result(): Extension {
    return {
      edge: this.#edge,
      verified: this.#verified,
      agreeing: this.#agreeing,
      differing: this.#differing,
      problems: this.#problems,
      failure: this.#failure,
      malformedLeaves: this.#malformed.count === 0 ? undefined : this.#malformed,
    }
  }

  async run(): Promise<void> {
    const { onProgress, signal } = this.#options
    const first = this.#edge.size / TILE_WIDTH
    const end = Math.ceil(this.#target.size / TILE_WIDTH)
    const ahead: Promise<Served>[] = []
    let next = first
    for (let index = first; index < end; index++) {
      while (next < end && ahead.length < BUNDLES_AHEAD) ahead.push(this.#fetch(next++))
      const served = await ahead.shift()
      if (signal.aborted) this.#fail(index, 'the monitor was stopped')
      else if (served !== undefined) await this.#take(index, served)
      if (this.#failure !== undefined) return
      if ((index - first) % BUNDLES_PER_SAVE === BUNDLES_PER_SAVE - 1) onProgress(this.#edge)
    }
    await this.#comparePartialTiles()
  }

  #widthOf(index: number): number {
    return tileWidth('entries', index, this.#target.size)
  }

  async #fetch(index: number): Promise<Served> {
    const { client } = this.#options
    const width = this.#widthOf(index)
    const [bundle, tile] = await Promise.all([
      client.fetchBundle(index, width).catch(errorOf),
      client.fetchTile({ level: 0, index, width }).catch(errorOf),
    ])
    return { bundle, tile }
  }

  /** Takes in one bundle, and compares the tile of its leaf hashes. */
  async #take(index: number, { bundle, tile }: Served): Promise<void> {
    if (bundle instanceof CountersignError) return this.#fail(index, bundle.message)
    const width = this.#widthOf(index)
    const heads = this.#options.heads
    let nextHead = heads.findIndex(({ size }) => size > Math.max(this.#edge.size, this.#options.from.size))
    const before = { agreeing: this.#agreeing.length, differing: this.#differing.length, verified: this.#verified }
    let leaves: Uint8Array | undefined
    try {
      visitLeaves(this.#options.crypto, bundle, { index, width }, (leafHash, entry) => {
        this.#checkLeaf(entry)
        this.#edge.append(leafHash, (name, bytes) => {
          if (name.level === 0) leaves = bytes
          else this.#full.push({ name, bytes })
          this.#options.onTile(name, bytes)
        })
        const head = heads[nextHead]
        if (head?.size !== this.#edge.size) return
        while (heads[nextHead]?.size === this.#edge.size) this.#compareRoot(heads[nextHead++])
      })
    } catch (thrown) {
      if (codeOf(thrown) === undefined) throw thrown
      return this.#fail(index, thrown instanceof Error ? thrown.message : 'not a bundle')
    }
    leaves ??= this.#edge.partial(0).slice()
    if (this.#isRewritten(index, leaves)) {
      // Whatever these entries lead to, it is not what was verified.
      this.#agreeing.length = before.agreeing
      this.#differing.length = before.differing
      this.#verified = before.verified
      return
    }
    await this.#compareLeafTile({ level: 0, index, width }, leaves, tile)
    if (this.#failure === undefined) await this.#compareFullTiles()
  }

  #checkLeaf(entry: Uint8Array): void {
    if (this.#leaves.isLeaf(entry)) return
    if (this.#malformed.count++ === 0) this.#malformed.firstIndex = this.#edge.size
  }

  #compareRoot(head: TreeHead | undefined): void {
    if (head === undefined) return
    if (!equalBytes(this.#edge.root(), head.root)) {
      this.#differing.push(head)
      return
    }
    this.#agreeing.push(head)
    this.#verified = this.#edge.copy()
  }

  /** Entries that were taken in before are not what they were. Their hashes are under a head; these bytes are not signed. */
  #isRewritten(index: number, leaves: Uint8Array): boolean {
    const known = this.#options.from.partial(0)
    if (index !== Math.floor(this.#options.from.size / TILE_WIDTH) || known.length === 0) return false
    const at = firstDifference(known, leaves.subarray(0, known.length))
    if (at === undefined) return false
    const entry = index * TILE_WIDTH + at
    this.#problem('entry-differs', index, `entry ${entry} is served as another one than before`)
    return true
  }

  /** Where they differ, the head that both should be under says which of the two is the lie. */
  async #compareLeafTile(name: TileName, own: Uint8Array, tile: Uint8Array | CountersignError): Promise<void> {
    if (tile instanceof CountersignError) return this.#withheld(name, tile, own)
    const at = firstDifference(own, tile)
    if (at === undefined) return
    const index = name.index * TILE_WIDTH + at
    if (!(await this.#isUnderTarget(index, tile.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES)))) {
      return this.#differs(name, own)
    }
    this.#problem('entry-differs', name.index, `entry ${index} is not the one that the log’s head is over`)
  }

  async #isUnderTarget(index: number, leafHash: Uint8Array): Promise<boolean> {
    const { client, crypto } = this.#options
    try {
      const path = await proveInclusion(client, crypto, index, this.#target.size)
      verifyInclusion(crypto, this.#target, { index, path }, leafHash)
      return true
    } catch (thrown) {
      if (codeOf(thrown) === undefined) throw thrown
      return false
    }
  }

  async #compareFullTiles(): Promise<void> {
    const full = this.#full
    this.#full = []
    for (const { name, bytes } of full) await this.#compareTile(name, bytes)
  }

  /** The last tile of each level above the leaves, where it has grown. */
  async #comparePartialTiles(): Promise<void> {
    for (let level = 1; ; level++) {
      const span = TILE_WIDTH ** level
      if (this.#edge.size < span) return
      const name = this.#edge.partialName(level)
      const hasGrown = Math.floor(this.#options.from.size / span) < Math.floor(this.#edge.size / span)
      if (name !== undefined && hasGrown) await this.#compareTile(name, this.#edge.partial(level).slice())
    }
  }

  async #compareTile(name: TileName, own: Uint8Array): Promise<void> {
    const tile = await this.#options.client.fetchTile(name).catch(errorOf)
    if (tile instanceof CountersignError) this.#withheld(name, tile, own)
    else if (!equalBytes(own, tile)) this.#differs(name, own)
  }

  #withheld(name: TileName, { message }: CountersignError, own: Uint8Array): void {
    const expected = toHex(this.#options.crypto.sha256(own))
    this.#report({ kind: 'tile-withheld', path: formatTilePath(name), summary: message, expected })
  }

  #differs(name: TileName, own: Uint8Array): void {
    const expected = toHex(this.#options.crypto.sha256(own))
    const path = formatTilePath(name)
    this.#report({ kind: 'tile-differs', path, summary: `${path} is not made of the log’s entries`, expected })
  }

  /** A problem with a bundle, after which there is no going on. */
  #problem(kind: 'entry-differs', index: number, summary: string): void {
    this.#report({ kind, path: this.#bundlePath(index), summary })
    this.#fail(index, summary)
  }

  #report(problem: TreeProblem): void {
    if (this.#problems.length < MAX_PROBLEMS) this.#problems.push(problem)
  }

  #fail(index: number, reason: string): void {
    this.#failure = { path: this.#bundlePath(index), reason }
  }

  /** The bundle's name once it is full: it is one bundle, however far it has grown. */
  #bundlePath(index: number): string {
    return formatTilePath({ level: 'entries', index, width: TILE_WIDTH })
  }
}

/** Position of the first hash that differs. */
function firstDifference(a: Uint8Array, b: Uint8Array): number | undefined {
  if (equalBytes(a, b)) return undefined
  const at = a.findIndex((byte, i) => byte !== b[i])
  return Math.floor((at < 0 ? Math.min(a.length, b.length) : at) / HASH_BYTES)
}

function errorOf(thrown: unknown): CountersignError {
  if (thrown instanceof CountersignError) return thrown
  throw thrown
}
