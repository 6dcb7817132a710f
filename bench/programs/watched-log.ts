/** Serves a log of invented leaves, made beforehand: `watched-log.ts <entries> <file for the trust file>`. Says its address. */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  type Crypto,
  formatCheckpoint,
  formatEntries,
  formatLeaf,
  formatNoteKey,
  formatSignatureLine,
  formatTilePath,
  type Hash,
  hashChildren,
  hashLeaf,
  NOTE_ED25519,
  noteKey,
  TILE_WIDTH,
  utf8,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'

const ORIGIN = 'bench.example/watched-log'

/** Every file of a log of whole bundles. */
function makeFiles(crypto: Crypto, size: number, files: Map<string, Uint8Array>): Hash {
  const spki = randomBytes(91)
  let hashes: Hash[] = []
  for (let index = 0; index < size / TILE_WIDTH; index++) {
    const random = randomBytes(TILE_WIDTH * 103)
    const leaves = Array.from({ length: TILE_WIDTH }, (_, i) => {
      const [start, middle, end] = [i * 103, i * 103 + 32, (i + 1) * 103]
      return formatLeaf({ payloadHash: random.subarray(start, middle), signature: random.subarray(middle, end), spki })
    })
    files.set(formatTilePath({ level: 'entries', index, width: TILE_WIDTH }), formatEntries(leaves))
    for (const leaf of leaves) hashes.push(hashLeaf(crypto, leaf))
  }
  for (let level = 0; hashes.length > 1; level++) {
    for (let first = 0; first < hashes.length; first += TILE_WIDTH) {
      const tile = hashes.slice(first, first + TILE_WIDTH)
      files.set(formatTilePath({ level, index: first / TILE_WIDTH, width: tile.length }), Buffer.concat(tile))
    }
    for (let height = 0; height < 8 && hashes.length > 1; height++) hashes = pairs(crypto, hashes)
  }
  return hashes[0] ?? new Uint8Array(0)
}

function pairs(crypto: Crypto, hashes: readonly Hash[]): Hash[] {
  const above: Hash[] = []
  for (let i = 0; i + 1 < hashes.length; i += 2) {
    above.push(hashChildren(crypto, hashes[i] ?? new Uint8Array(0), hashes[i + 1] ?? new Uint8Array(0)))
  }
  return above
}

function main([entries, trustPath]: readonly string[]): void {
  const size = Number(entries)
  if (trustPath === undefined || Math.log2(size) % 1 !== 0 || size < TILE_WIDTH) {
    throw new Error('the number of entries is a power of two, from 256 on')
  }
  const crypto = createNodeCrypto()
  const files = new Map<string, Uint8Array>()
  const root = makeFiles(crypto, size, files)
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const raw = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }).subarray(-32))
  const key = noteKey(crypto, ORIGIN, NOTE_ED25519, raw)
  const text = formatCheckpoint({ origin: ORIGIN, size, root })
  const signature = new Uint8Array(sign(null, utf8(text), privateKey))
  files.set('checkpoint', utf8(`${text}\n${formatSignatureLine({ name: key.name, id: key.id, signature })}`))
  const policy = `policy: |\n  log ${formatNoteKey(key)}\n  quorum none\n`
  writeFileSync(trustPath, `format: countersign-trust/v1\n${policy}parties: []\n`)
  const server = createServer((request, response) => {
    const body = files.get((request.url ?? '').slice('/log/'.length))
    response.writeHead(body === undefined ? 404 : 200, { 'content-length': body?.length ?? 0 })
    response.end(body)
  })
  server.listen(0, '127.0.0.1', () => {
    process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`)
  })
}

main(process.argv.slice(2))
