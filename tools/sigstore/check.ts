/**
 * Checks the receipts of a demonstration with the stock Sigstore verifier, unmodified: it must take every honest bundle and
 * refuse those whose bundle was tampered with.
 *
 * The test beside this file runs it; the stock packages are installed aside, in this folder.
 */
import { createHash, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

/** Tamperings that change the bundle itself; the others change what stands around it. */
export const BUNDLE_TAMPERINGS = ['swapped-model-digest', 'another-statements-proof', 'cut-log', 'forged-checkpoint']

/** What of the stock packages is used. */
interface Stock {
  readonly verify: {
    toTrustMaterial(root: unknown, keys: unknown): unknown
    toSignedEntity(bundle: unknown): unknown
    readonly Verifier: new (trust: unknown, options: unknown) => { verify(entity: unknown): unknown }
  }
  readonly bundle: { bundleFromJSON(json: unknown): unknown }
  readonly protobuf: { readonly TrustedRoot: { fromJSON(json: unknown): unknown } }
}

/** Why the stock verifier refuses a bundle, or `undefined` when it accepts it. */
export type StockVerdict = (bundle: unknown) => string | undefined

/** The stock verifier of a package installed aside, trusting what the demonstration left. */
export function loadStockVerifier(packageName: string, demo: string): StockVerdict {
  const { verify, bundle, protobuf } = loadStock(packageName)
  const root = protobuf.TrustedRoot.fromJSON(readJson(join(demo, 'trusted-root.json')))
  const trust = verify.toTrustMaterial(root, (hint: string) => ({
    publicKey: createPublicKey(readFileSync(join(demo, 'keys', `${hint}.pem`))),
    validFor: () => true,
  }))
  const verifier = new verify.Verifier(trust, { tlogThreshold: 1, ctlogThreshold: 0, timestampThreshold: 0 })
  return (json) => {
    try {
      verifier.verify(verify.toSignedEntity(bundle.bundleFromJSON(json)))
      return undefined
    } catch (thrown) {
      return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown)
    }
  }
}

/** Every bundle of a demonstration with what the verifier says of it. */
export function checkDemo(demo: string, verdict: StockVerdict) {
  const honest = readdirSync(join(demo, 'sigstore')).map((name) => ({
    name,
    refusal: verdict(readJson(join(demo, 'sigstore', name))),
  }))
  const tampered = BUNDLE_TAMPERINGS.map((what) => {
    const { bundle } = readJson(join(demo, 'tampered', `${what}.json`)) as { bundle: unknown }
    return { name: what, refusal: verdict(bundle) }
  })
  return { honest, tampered }
}

/** Every honest bundle with so many more signature lines on its checkpoint, and what the verifier says of it. */
export function checkCosigned(demo: string, verdict: StockVerdict, count: number) {
  return readdirSync(join(demo, 'sigstore')).map((name) => ({
    name,
    refusal: verdict(withCosignatures(readJson(join(demo, 'sigstore', name)), count)),
  }))
}

/**
 * The bundle with cosignatures of witnesses made up for it. @spec C2SP tlog-cosignature v1.0.1
 */
function withCosignatures(bundle: unknown, count: number): unknown {
  const copy = structuredClone(bundle) as {
    verificationMaterial: { tlogEntries: { inclusionProof: { checkpoint: { envelope: string } } }[] }
  }
  const checkpoint = copy.verificationMaterial.tlogEntries[0]?.inclusionProof.checkpoint
  if (checkpoint === undefined) throw new Error('the bundle has no checkpoint')
  const [text = ''] = checkpoint.envelope.split('\n\n')
  for (let i = 1; i <= count; i++) checkpoint.envelope += cosignatureLine(`witness-${i}.example.org/w`, `${text}\n`)
  return copy
}

function cosignatureLine(name: string, text: string): string {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
  const id = createHash('sha256').update(`${name}\n`).update(Uint8Array.of(4)).update(raw).digest().subarray(0, 4)
  const seconds = 1_790_000_000
  const time = Buffer.alloc(8)
  time.writeBigUInt64BE(BigInt(seconds))
  const signature = sign(null, Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`), privateKey)
  return `— ${name} ${Buffer.concat([id, time, signature]).toString('base64')}\n`
}

function loadStock(packageName: string): Stock {
  const aside = createRequire(import.meta.url)
  const own = createRequire(aside.resolve(packageName))
  return {
    verify: aside(packageName) as Stock['verify'],
    bundle: own('@sigstore/bundle') as Stock['bundle'],
    protobuf: own('@sigstore/protobuf-specs') as Stock['protobuf'],
  }
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'))
}
