/**
 * A disk that honours fsync and promises nothing else: what was synced is there after a power cut; of the rest, any part
 * may be, in any order, in sectors. Names need a sync of their folder.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Random } from './random.testing.ts'
import type { Operation } from './trace.testing.ts'

/** What a disk writes whole or not at all. */
const SECTOR_BYTES = 512

type Change =
  | { readonly kind: 'write'; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: 'size'; readonly size: number; readonly grows: boolean }

interface FileNode {
  readonly kind: 'file'
  durable: Buffer
  /** Since the last sync. */
  pending: Change[]
}

interface FolderNode {
  readonly kind: 'folder'
  readonly names: Map<string, Node>
  durableNames: Map<string, Node>
  /** Since the last sync. Changes of one `step` are one rename. */
  pending: { readonly name: string; readonly node: Node | undefined; readonly step: number }[]
}

type Node = FileNode | FolderNode

/**
 * What a crash leaves of what was not synced. `killed`: all of it, as when the process dies and the machine does not.
 * `least`: nothing. `names-only`: the names, without the data. `data-only`: the data of files whose names were synced.
 * `random`: any part.
 */
export const LOSSES = ['killed', 'least', 'names-only', 'data-only', 'random'] as const
export type Loss = (typeof LOSSES)[number]

export class Disk {
  readonly #root: string
  readonly #ignoreSync: (path: string) => boolean
  readonly #top = createFolder()
  readonly #handles = new Map<string, { readonly node: FileNode; readonly path: string }>()
  #step = 0

  /** A disk with the folder `root`, empty and durable. Syncs of paths that `ignoreSync` names do nothing: it lies. */
  constructor(root: string, ignoreSync: (path: string) => boolean = () => false) {
    this.#root = root
    this.#ignoreSync = ignoreSync
  }

  apply(operation: Operation): void {
    this.#step++
    switch (operation.kind) {
      case 'open':
        this.#open(operation)
        return
      case 'write':
        this.#fileOf(operation.handle).pending.push(operation)
        return
      case 'truncate':
        this.#fileOf(operation.handle).pending.push({ kind: 'size', size: operation.size, grows: false })
        return
      case 'allocate':
        this.#fileOf(operation.handle).pending.push({ kind: 'size', size: operation.size, grows: true })
        return
      case 'sync':
        this.#sync(operation.handle)
        return
      case 'sync-folder':
        this.#syncFolder(operation.path)
        return
      case 'rename': {
        const node = this.#find(operation.from)
        this.#setName(operation.from, undefined)
        this.#setName(operation.to, node)
        return
      }
      case 'make-folder':
        this.#setName(operation.path, createFolder())
        return
      case 'unlink':
      case 'remove-folder':
        this.#setName(operation.path, undefined)
        return
      case 'sent':
    }
  }

  /** Writes what a crash at this moment may leave into an empty folder. */
  materialise(folder: string, loss: Loss, random: Random): void {
    writeFolder(this.#top, folder, loss, random)
  }

  #open({ handle, path, emptied }: Extract<Operation, { kind: 'open' }>): void {
    let node = this.#find(path)
    if (node?.kind !== 'file') {
      node = { kind: 'file', durable: Buffer.alloc(0), pending: [] }
      this.#setName(path, node)
    }
    if (emptied) node.pending.push({ kind: 'size', size: 0, grows: false })
    this.#handles.set(handle, { node, path })
  }

  #sync(handle: string): void {
    const node = this.#fileOf(handle)
    if (this.#ignoreSync(this.#handles.get(handle)?.path ?? '')) return
    node.durable = replay(node.durable, node.pending)
    node.pending = []
  }

  #syncFolder(path: string): void {
    const node = this.#find(path)
    if (node?.kind !== 'folder') return
    node.durableNames = new Map(node.names)
    node.pending = []
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#top
    for (const name of path.slice(this.#root.length).split('/')) {
      if (name !== '') node = node?.kind === 'folder' ? node.names.get(name) : undefined
    }
    return node
  }

  #setName(path: string, node: Node | undefined): void {
    const folder = this.#find(dirname(path))
    if (folder?.kind !== 'folder') throw new Error(`the trace names a file in no folder: ${path}`)
    const name = basename(path)
    if (node === undefined) folder.names.delete(name)
    else folder.names.set(name, node)
    folder.pending.push({ name, node, step: this.#step })
  }

  #fileOf(handle: string): FileNode {
    const open = this.#handles.get(handle)
    if (open === undefined) throw new Error('the trace writes to a file that was never opened')
    return open.node
  }
}

function createFolder(): FolderNode {
  return { kind: 'folder', names: new Map(), durableNames: new Map(), pending: [] }
}

function writeFolder(node: FolderNode, path: string, loss: Loss, random: Random): void {
  mkdirSync(path, { recursive: true })
  for (const [name, child] of namesAfter(node, loss, random)) {
    const target = join(path, name)
    if (child.kind === 'folder') writeFolder(child, target, loss, random)
    else writeFileSync(target, contentAfter(child, loss, random))
  }
}

function namesAfter(node: FolderNode, loss: Loss, random: Random): ReadonlyMap<string, Node> {
  if (loss === 'killed' || loss === 'names-only') return node.names
  if (loss === 'least' || loss === 'data-only') return node.durableNames
  const names = new Map(node.durableNames)
  // A journal keeps the order; a disk without one does not.
  const last = node.pending[random.below(node.pending.length + 1)]?.step ?? Number.POSITIVE_INFINITY
  const inOrder = random.chance(0.5)
  for (const { name, node: child, step } of node.pending) {
    if (inOrder ? step >= last : random.chance(0.5)) continue
    if (child === undefined) names.delete(name)
    else names.set(name, child)
  }
  return names
}

function contentAfter({ durable, pending }: FileNode, loss: Loss, random: Random): Buffer {
  if (loss === 'killed' || loss === 'data-only') return replay(durable, pending)
  if (loss === 'least' || loss === 'names-only') return durable
  return replay(durable, random.chance(0.5) ? tornPrefix(pending, random) : anyPart(pending, random))
}

/** The first changes, and a part of the one after them. */
function tornPrefix(pending: readonly Change[], random: Random): readonly Change[] {
  const count = random.below(pending.length + 1)
  const next = pending[count]
  return [...pending.slice(0, count), ...(next?.kind === 'write' ? torn(next, random) : [])]
}

function anyPart(pending: readonly Change[], random: Random): readonly Change[] {
  const share = random.pick([0.2, 0.5, 0.8])
  return pending.flatMap((change) => {
    if (random.chance(share)) return [change]
    if (change.kind !== 'write') return []
    if (random.chance(0.5)) return torn(change, random)
    // The size may reach the disk before the data does: zeros stand there then.
    return random.chance(0.5) ? [{ kind: 'size', size: change.offset + change.bytes.length, grows: true }] : []
  })
}

/** Some of the sectors of a write. */
function torn({ offset, bytes }: Extract<Change, { kind: 'write' }>, random: Random): readonly Change[] {
  const parts: Change[] = []
  for (let start = 0; start < bytes.length; ) {
    const end = Math.min(bytes.length, start + SECTOR_BYTES - ((offset + start) % SECTOR_BYTES))
    if (random.chance(0.5)) parts.push({ kind: 'write', offset: offset + start, bytes: bytes.subarray(start, end) })
    start = end
  }
  return parts
}

/** The content after some changes, in order. */
function replay(content: Buffer, changes: readonly Change[]): Buffer {
  if (changes.length === 0) return content
  let most = content.length
  for (const change of changes) {
    most = Math.max(most, change.kind === 'write' ? change.offset + change.bytes.length : change.size)
  }
  const result = Buffer.alloc(most)
  content.copy(result)
  let size = content.length
  for (const change of changes) {
    if (change.kind === 'write') {
      result.set(change.bytes, change.offset)
      size = Math.max(size, change.offset + change.bytes.length)
    } else if (change.grows) {
      size = Math.max(size, change.size)
    } else {
      result.fill(0, change.size)
      size = change.size
    }
  }
  return result.subarray(0, size)
}
