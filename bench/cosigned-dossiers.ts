/** Dossiers as a gateway with three witnesses gives them: under heads that each cover a few answers more, cosigned. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { join } from 'node:path'
import { dataFolderAt, findIdentityAt, keyPaths, loadLogKey, openDatabaseReadOnly } from '@countersign/gateway'
import {
  type Crypto,
  concat,
  consistencyRanges,
  cosignatureMessage,
  formatCheckpoint,
  formatNoteKey,
  formatSignatureLine,
  type Hash,
  hashChildren,
  hashRange,
  inclusionRanges,
  type LeafRange,
  NOTE_COSIGNATURE,
  type NoteKey,
  noteKey,
  parseNote,
  type ReadSubtree,
  toBase64,
  uint64BigEndian,
  utf8,
} from '@countersign/verify'

interface Witness {
  readonly name: string
  readonly key: NoteKey
  readonly secret: KeyObject
}

/** What a stopped gateway leaves: the tree of its log, and whoever signs its heads. */
export interface StoppedLog {
  /** The cosigned checkpoint of a size, as text. */
  checkpoint(size: number): string
  root(size: number): string
  inclusion(index: number, size: number): readonly string[]
  consistency(from: number, to: number): readonly string[]
  /** Lines of a policy: the witnesses, and a quorum of two of three. */
  readonly policyLines: readonly string[]
  /** Names of the witnesses in that policy. */
  readonly witnesses: readonly string[]
}

/** A dossier's JSON, as far as it is changed here. */
interface Bundle {
  readonly verificationMaterial: { readonly tlogEntries: readonly [Entry] }
}
interface Entry {
  readonly logIndex: string
  readonly inclusionProof: object
}
interface DossierJson {
  readonly bundle: Bundle
  readonly statements: readonly Bundle[]
  readonly consistency: readonly { readonly size: number; readonly root: string }[]
}

/** Opens the log of a stopped gateway, and makes three witnesses for it. */
export function openStoppedLog(crypto: Crypto, dataRoot: string): StoppedLog {
  const read = subtreesOf(crypto, readLeafHashes(dataRoot))
  const { origin } = findIdentityAt(dataRoot)
  const log = loadLogKey(keyPaths(join(dataRoot, 'keys')).log, origin, false)
  const witnesses = ['one', 'two', 'three'].map((name) => createWitness(crypto, name))
  const root = (size: number) => hashRange(crypto, { start: 0, end: size }, read)
  const hashes = (ranges: readonly LeafRange[]) => ranges.map((range) => toBase64(hashRange(crypto, range, read)))
  return {
    checkpoint: (size) => {
      const text = formatCheckpoint({ origin, size, root: root(size) })
      return `${log.signNote(text)}${witnesses.map((each) => cosign(each, text)).join('')}`
    },
    root: (size) => toBase64(root(size)),
    inclusion: (index, size) => hashes(inclusionRanges(index, size)),
    consistency: (from, to) => hashes(consistencyRanges(from, to)),
    policyLines: [
      ...witnesses.map(({ name, key }) => `witness ${name} ${formatNoteKey(key)}`),
      `group witnesses 2 ${witnesses.map(({ name }) => name).join(' ')}`,
      'quorum witnesses',
    ],
    witnesses: witnesses.map(({ name }) => name),
  }
}

/** The dossiers again, each `answersPerHead` of them under one cosigned head that covers no answer more. */
export function underCosignedHeads(
  files: readonly Uint8Array[],
  log: StoppedLog,
  answersPerHead: number,
): readonly Uint8Array[] {
  const dossiers = files.map((file) => JSON.parse(Buffer.from(file).toString('utf8')) as DossierJson)
  return dossiers.flatMap((_, i) => {
    if (i % answersPerHead !== 0) return []
    const together = dossiers.slice(i, i + answersPerHead)
    const size = 1 + Math.max(...together.map(({ bundle }) => indexOf(bundle)))
    const head = { size, root: log.root(size), checkpoint: log.checkpoint(size) }
    parseNote(utf8(head.checkpoint))
    return together.map((dossier) => utf8(JSON.stringify(underHead(dossier, log, head))))
  })
}

interface Head {
  readonly size: number
  readonly root: string
  readonly checkpoint: string
}

function underHead(dossier: DossierJson, log: StoppedLog, head: Head): DossierJson {
  return {
    ...dossier,
    bundle: proveUnder(dossier.bundle, log, head),
    statements: dossier.statements.map((each) => proveUnder(each, log, head)),
    consistency: dossier.consistency.map((each) => ({ ...each, path: log.consistency(each.size, head.size) })),
  }
}

function proveUnder(bundle: Bundle, log: StoppedLog, { size, root, checkpoint }: Head): Bundle {
  const [entry] = bundle.verificationMaterial.tlogEntries
  const inclusionProof = {
    logIndex: entry.logIndex,
    rootHash: root,
    treeSize: String(size),
    hashes: log.inclusion(indexOf(bundle), size),
    checkpoint: { envelope: checkpoint },
  }
  const tlogEntries = [{ ...entry, inclusionProof }] as const
  return { ...bundle, verificationMaterial: { ...bundle.verificationMaterial, tlogEntries } }
}

function indexOf({ verificationMaterial }: Bundle): number {
  return Number(verificationMaterial.tlogEntries[0].logIndex)
}

function createWitness(crypto: Crypto, name: string): Witness {
  const { publicKey, privateKey: secret } = generateKeyPairSync('ed25519')
  const spki = publicKey.export({ format: 'der', type: 'spki' })
  const key = noteKey(crypto, `witness-${name}.example.org/w`, NOTE_COSIGNATURE, new Uint8Array(spki.subarray(-32)))
  return { name, key, secret }
}

function cosign({ key, secret }: Witness, text: string): string {
  const seconds = Math.floor(Date.now() / 1000)
  const signature = new Uint8Array(sign(null, cosignatureMessage(seconds, text), secret))
  return formatSignatureLine({
    name: key.name,
    id: key.id,
    signature: concat(uint64BigEndian(BigInt(seconds)), signature),
  })
}

function readLeafHashes(dataRoot: string): readonly Hash[] {
  const database = openDatabaseReadOnly(dataFolderAt(dataRoot).database)
  try {
    return database.prepare('SELECT leaf_hash FROM entries ORDER BY idx').pluck().all() as Uint8Array[]
  } finally {
    database.close()
  }
}

/** The perfect subtrees over leaves, each hashed once. */
function subtreesOf(crypto: Crypto, leaves: readonly Hash[]): ReadSubtree {
  const known = new Map<string, Hash>()
  const read: ReadSubtree = (height, index) => {
    const name = `${height}/${index}`
    const hash =
      known.get(name) ??
      (height === 0
        ? (leaves[index] ?? new Uint8Array(0))
        : hashChildren(crypto, read(height - 1, index * 2), read(height - 1, index * 2 + 1)))
    known.set(name, hash)
    return hash
  }
  return read
}
