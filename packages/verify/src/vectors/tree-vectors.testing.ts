import { parseBase64, toBase64 } from '../bytes/base64.ts'
import { parseUtf8, utf8 } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { createNobleCrypto } from '../crypto/noble-provider.ts'
import type { ErrorCode } from '../errors.ts'
import { parseLeaf } from '../log/leaf.ts'
import { verifyConsistency, verifyInclusion } from '../log/merkle.ts'
import { consistencyRanges, hashRange, inclusionRanges } from '../log/merkle-ranges.ts'
import { parseTilePath } from '../log/tile.ts'
import { treeOf } from '../log/tree.testing.ts'
import { buildScene } from '../scene.testing.ts'
import { type FormatVector, type FormatVectors, gives, numberOf, refused, textOf } from './format-vector.testing.ts'

const crypto = createNobleCrypto()

export function treeVectors(): readonly FormatVectors[] {
  return [merkleVectors(), tilePathVectors(), leafVectors()]
}

function merkleVectors(): FormatVectors {
  return {
    file: 'merkle',
    description:
      'Proofs over SHA-256 trees, hashes in base64. `inclusion`: size, root, index, leafHash, path. `consistency`: size, root, olderSize, olderRoot, path. The value is null when the proof checks.',
    cases: [...inclusionCases(), ...consistencyCases()],
    run: (provider, input) => {
      const fields = input as { readonly path: readonly string[] }
      const path = fields.path.map(parseBase64)
      const head = { size: numberOf(input, 'size'), root: parseBase64(textOf(input, 'root')) }
      if (textOf(input, 'proof') === 'inclusion') {
        verifyInclusion(
          provider,
          head,
          { index: numberOf(input, 'index'), path },
          parseBase64(textOf(input, 'leafHash')),
        )
      } else {
        const older = { size: numberOf(input, 'olderSize'), root: parseBase64(textOf(input, 'olderRoot')) }
        verifyConsistency(provider, older, head, path)
      }
      return null
    },
  }
}

/** The trees of the vectors: leaf n is the text `leaf n`. */
const TREE = treeOf(
  crypto,
  Array.from({ length: 13 }, (_, i) => utf8(`leaf ${i}`)),
)

function hashOf(start: number, end: number): string {
  return toBase64(hashRange(crypto, { start, end }, TREE))
}

interface InclusionInput {
  readonly proof: 'inclusion'
  readonly size: number
  readonly root: string
  readonly index: number
  readonly leafHash: string
  readonly path: readonly string[]
}

function inclusion(index: number, size: number): InclusionInput {
  const path = inclusionRanges(index, size).map(({ start, end }) => hashOf(start, end))
  return { proof: 'inclusion', size, root: hashOf(0, size), index, leafHash: hashOf(index, index + 1), path }
}

function inclusionCases(): readonly FormatVector[] {
  const plain = inclusion(5, 13)
  const places: readonly (readonly [number, number])[] = [
    [0, 1],
    [0, 2],
    [1, 2],
    [6, 7],
    [0, 8],
    [7, 8],
    [8, 9],
    [12, 13],
    [5, 13],
  ]
  const bad = (name: string, changes: Partial<InclusionInput>, code: ErrorCode) =>
    refused(`inclusion: ${name}`, { ...plain, ...changes } as unknown as Json, code)
  const [first = '', ...rest] = plain.path
  return [
    ...places.map(([index, size]) =>
      gives(`inclusion: ${index} of ${size}`, inclusion(index, size) as unknown as Json, null),
    ),
    bad('another leaf', { leafHash: hashOf(6, 7) }, 'proof/root-mismatch'),
    bad('another root', { root: hashOf(0, 12) }, 'proof/root-mismatch'),
    bad('another index', { index: 4 }, 'proof/root-mismatch'),
    bad('index of the size', { index: 13 }, 'proof/index-out-of-range'),
    bad('negative index', { index: -1 }, 'proof/index-out-of-range'),
    bad('half an index', { index: 5.5 }, 'proof/index-out-of-range'),
    bad('empty tree', { size: 0, index: 0, path: [] }, 'proof/index-out-of-range'),
    bad('path too short', { path: plain.path.slice(0, -1) }, 'proof/wrong-length'),
    bad('path too long', { path: [...plain.path, first] }, 'proof/wrong-length'),
    bad('empty path', { path: [] }, 'proof/wrong-length'),
    bad('path upside down', { path: plain.path.toReversed() }, 'proof/root-mismatch'),
    bad('inner node as a leaf', { leafHash: hashOf(4, 6), index: 2, path: rest }, 'proof/wrong-length'),
    bad('hash of 31 bytes', { path: [toBase64(new Uint8Array(31)), ...rest] }, 'proof/bad-hash'),
    bad('empty hash', { path: ['', ...rest] }, 'proof/bad-hash'),
  ]
}

interface ConsistencyInput {
  readonly proof: 'consistency'
  readonly size: number
  readonly root: string
  readonly olderSize: number
  readonly olderRoot: string
  readonly path: readonly string[]
}

function consistency(olderSize: number, size: number): ConsistencyInput {
  const path = consistencyRanges(olderSize, size).map(({ start, end }) => hashOf(start, end))
  return { proof: 'consistency', size, root: hashOf(0, size), olderSize, olderRoot: hashOf(0, olderSize), path }
}

function consistencyCases(): readonly FormatVector[] {
  const plain = consistency(6, 13)
  const whole = consistency(8, 13)
  const same = consistency(13, 13)
  const pairs: readonly (readonly [number, number])[] = [
    [1, 1],
    [1, 2],
    [3, 7],
    [4, 8],
    [7, 8],
    [8, 13],
    [12, 13],
    [13, 13],
    [6, 13],
  ]
  const bad = (name: string, changes: Partial<ConsistencyInput>, code: ErrorCode, base = plain) =>
    refused(`consistency: ${name}`, { ...base, ...changes } as unknown as Json, code)
  return [
    ...pairs.map(([older, newer]) =>
      gives(`consistency: ${older} to ${newer}`, consistency(older, newer) as unknown as Json, null),
    ),
    bad('another older root', { olderRoot: hashOf(0, 7) }, 'proof/root-mismatch'),
    bad('another newer root', { root: hashOf(0, 12) }, 'proof/root-mismatch'),
    bad('another root of the whole left tree', { olderRoot: hashOf(0, 7) }, 'proof/root-mismatch', whole),
    bad('from the empty tree', { olderSize: 0, path: [] }, 'proof/index-out-of-range'),
    bad('from a larger tree', { olderSize: 14 }, 'proof/index-out-of-range'),
    bad('two roots of one size', { olderRoot: hashOf(0, 12) }, 'proof/root-mismatch', same),
    bad('path between equal sizes', { path: [hashOf(0, 1)] }, 'proof/wrong-length', same),
    bad('path too short', { path: plain.path.slice(0, -1) }, 'proof/wrong-length'),
    bad('path too long', { path: [...plain.path, hashOf(0, 1)] }, 'proof/wrong-length'),
    bad('empty path', { path: [] }, 'proof/wrong-length'),
    bad('hash of 33 bytes', { path: [toBase64(new Uint8Array(33))] }, 'proof/bad-hash'),
  ]
}

function tilePathVectors(): FormatVectors {
  const good = (path: string, level: number | 'entries', index: number, width = 256) =>
    gives(path, { path }, { level, index, width })
  const bad = (path: string) => refused(path === '' ? 'empty' : path, { path }, 'tile/malformed')
  return {
    file: 'tile-path',
    description: 'The path of a tile. The value is its level, its index, and the number of hashes or entries in it.',
    cases: [
      good('tile/0/000', 0, 0),
      good('tile/0/x001/x234/067', 0, 1_234_067),
      good('tile/0/x001/x234/067.p/5', 0, 1_234_067, 5),
      good('tile/1/999', 1, 999),
      good('tile/1/x001/000', 1, 1000),
      good('tile/63/000.p/1', 63, 0, 1),
      good('tile/entries/x001/234.p/255', 'entries', 1234, 255),
      good('tile/0/x009/x007/x199/x254/x740/991', 0, Number.MAX_SAFE_INTEGER),
      ...['', 'tile/0', 'tile/0/', '/tile/0/000', 'tile/0/000/', 'tile/0/0', 'tile/0/0000', 'tile/0/x000'].map(bad),
      ...['tile/0/x000/001', 'tile/0/001/002', 'tile/0/x1/000', 'tile/0/x001/x234', 'tile/64/000', 'tile/00/000'].map(
        bad,
      ),
      ...['tile/-1/000', 'tile/entry/000', 'tile/0/000.p/0', 'tile/0/000.p/256', 'tile/0/000.p/257'].map(bad),
      ...['tile/0/000.p/999', 'tile/0/000.p/05', 'tile/0/000.p/', 'tile/0/000.p', 'tile/0/000.p/-1'].map(bad),
      ...['tile/0/x009/x007/x199/x254/x740/992', 'tile/0/../000', 'tile/0/000\n', 'tile/0/०००', 'TILE/0/000'].map(bad),
    ],
    run: (_, input) => ({ ...parseTilePath(textOf(input, 'path')) }),
  }
}

function leafVectors(): FormatVectors {
  const scene = buildScene()
  const leaf = parseUtf8(scene.log.entry(scene.index).leaf)
  const { payloadHash, signature, spki } = parseLeaf(utf8(leaf))
  const value = { payloadHash: toBase64(payloadHash), signature: toBase64(signature), spki: toBase64(spki) }
  const bad = (name: string, from: string | RegExp, to: string) => {
    const changed = leaf.replace(from, to)
    if (changed === leaf) throw new Error(`${name} changes nothing`)
    return refused(name, { leaf: changed }, 'leaf/malformed')
  }
  const signatures = /("signatures":\[)(.*)(\])/
  return {
    file: 'leaf',
    description: 'The exact text of a log entry. The value is payload hash, signature and key, in base64.',
    cases: [
      gives('canonical', { leaf }, value),
      bad('space', '{"apiVersion":"0.0.2",', '{"apiVersion":"0.0.2", '),
      bad('line feed at the end', /$/, '\n'),
      bad('fields in another order', '"apiVersion":"0.0.2","kind":"dsse"', '"kind":"dsse","apiVersion":"0.0.2"'),
      bad('field too many', '"kind":"dsse"', '"kind":"dsse","more":1'),
      bad('field twice', '"kind":"dsse"', '"kind":"dsse","kind":"dsse"'),
      bad('another version', '"0.0.2"', '"0.0.1"'),
      bad('another kind', '"dsse"', '"hashedrekord"'),
      bad('another algorithm', 'SHA2_256', 'SHA2_512'),
      bad('another key type', 'PKIX_ECDSA_P256_SHA_256', 'PKIX_ED25519'),
      bad('no signature', signatures, '$1$3'),
      bad('two signatures', signatures, '$1$2,$2$3'),
      bad('escaped letter', '"kind"', '"\\u006bind"'),
      bad('escaped slash', '"dsse"', '"ds\\u0073e"'),
      bad('stray bits in the hash', value.payloadHash, value.payloadHash.replace(/.=$/, '/=')),
      refused('empty', { leaf: '' }, 'leaf/malformed'),
      refused('not an object', { leaf: '[]' }, 'leaf/malformed'),
      refused('more than 65,535 bytes', { leaf: leaf.padEnd(65_536) }, 'leaf/malformed'),
    ],
    run: (_, input) => {
      const parsed = parseLeaf(utf8(textOf(input, 'leaf')))
      return {
        payloadHash: toBase64(parsed.payloadHash),
        signature: toBase64(parsed.signature),
        spki: toBase64(parsed.spki),
      }
    },
  }
}
