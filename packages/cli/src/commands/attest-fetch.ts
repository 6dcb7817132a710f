/** `countersign attest fetch`: evidence of a gateway, and what its verifiers need of the makers of the hardware. */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { type CollateralAddresses, createCollateralCache, createCollateralFetcher, MAKERS } from '@countersign/gateway'
import {
  CountersignError,
  collateralAlong,
  collateralNeeds,
  formatCollateral,
  parseCollateral,
  parseEvidence,
  quote,
  toHex,
  type UnverifiedEvidence,
} from '@countersign/verify'
import type { Command } from 'commander'
import { readEvidence } from '../attest/evidence-input.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { formatJson, readInput, writeOutput } from '../files.ts'
import { readFrom } from '../named-file.ts'
import { print, warn } from '../terminal.ts'

interface FetchOptions {
  readonly out: string
  readonly evidenceOut: string
  readonly nonce?: string
  readonly pcs?: string
  readonly rootCrl?: string
  readonly kds?: string
  readonly nvidia?: string
  readonly google?: string
  readonly microsoft?: readonly string[]
  readonly cache?: string
  readonly json?: boolean
}

const NONCE_BYTES = 32
const MAX_EVIDENCE_BYTES = 16 * 1024 * 1024
const TIMEOUT_MS = 30_000

const EXAMPLES = `
With the address of a gateway, its own evidence is asked for first, for a challenge that is made up now. What comes is checked by
"attest verify", not here. Nothing is written where nothing was had, and a file that has more is not replaced while something is
missing.

Examples:
  countersign attest fetch quote.bin --out collateral.json
  countersign attest fetch report.bin --kds https://mirror.example/kds
  countersign attest fetch https://gateway.example --evidence-out evidence.json --out collateral.json

Exit codes: 0 everything that is needed was had; 3 something could not be had, and is named; 2 bad usage, a file that cannot be
read, or no gateway there.`

export function addAttestFetch(attest: Command): void {
  attest
    .command('fetch')
    .description('get what a verifier needs from the makers of the hardware, for one piece of evidence')
    .argument('<source>', 'evidence in a file, or the address of a gateway')
    .option('--out <file>', 'where the collateral goes', 'collateral.json')
    .option('--evidence-out <file>', 'where the evidence of a gateway goes', 'evidence.json')
    .option('--nonce <hex>', 'the challenge for a gateway, 32 bytes (default: made up)')
    .option('--pcs <url>', 'mirror of Intel’s provisioning service')
    .option('--root-crl <url>', 'mirror of the revocation list of Intel’s root')
    .option('--kds <url>', 'mirror of AMD’s key distribution service')
    .option('--nvidia <url>', 'mirror of the keys of NVIDIA’s attestation service')
    .option('--google <url>', 'mirror of the keys of Confidential Space')
    .option('--microsoft <issuer...>', 'issuers of Azure Attestation whose keys may be asked for')
    .option('--cache <folder>', 'where answers are kept while they are current (default: ~/.cache/countersign)')
    .option('--json', 'print a report for programs')
    .addHelpText('after', EXAMPLES)
    .action(async (source: string, options: FetchOptions) => {
      process.exitCode = await fetchFor(source, options)
    })
}

async function fetchFor(source: string, options: FetchOptions): Promise<ExitCode> {
  const addresses = addressesOf(options)
  const { evidence, collateral } = /^https?:\/\//.test(source)
    ? { evidence: await askGateway(source, options), collateral: { items: [] } }
    : readFrom(source, (content) => readEvidence(content, {}))
  const fetcher = createCollateralFetcher({
    addresses,
    cache: createCollateralCache(options.cache ?? join(homedir(), '.cache', 'countersign', 'collateral')),
    nowMs: Date.now,
  })
  const needs = collateralNeeds(evidence)
  const { bundle: fetched, missing } = await fetcher.fetch(needs)
  const bundle = { items: [...collateral.items, ...collateralAlong(evidence), ...fetched.items] }
  for (const what of missing) warn(`not had: ${what}`)
  const kept = whyNotWritten(options.out, bundle.items.length, missing.length)
  if (kept === undefined) writeOutput(options.out, formatJson(formatCollateral(bundle)))
  if (options.json) {
    const out = kept === undefined ? options.out : null
    print(formatJson({ needs: needs.length, items: bundle.items.length, missing, out }).trimEnd())
  } else print(kept ?? `${bundle.items.length} items for ${needs.length} needs: ${options.out}`)
  return missing.length === 0 ? EXIT.ok : EXIT.unproven
}

/** `undefined` where the file is to be written: what was had before is worth more than what is less. */
function whyNotWritten(out: string, items: number, missing: number): string | undefined {
  if (items === 0 && missing === 0) return 'nothing of the makers is needed: check it without --collateral'
  if (items === 0) return `nothing was had, so ${out} was not written`
  const before = itemsIn(out)
  if (missing === 0 || before <= items) return undefined
  return `${out} has ${before} items and was left as it is: ${items} were had. For those, name another file with --out`
}

/** How many items a bundle has; none where the file is no bundle. */
function itemsIn(path: string): number {
  if (!existsSync(path)) return 0
  try {
    return parseCollateral(readInput(path)).items.length
  } catch (thrown) {
    if (thrown instanceof CountersignError) return 0
    throw thrown
  }
}

/** @throws {CountersignError} `usage/invalid` for what is no address */
function addressesOf({ pcs, rootCrl, kds, nvidia, google, microsoft }: FetchOptions): CollateralAddresses {
  return {
    ...MAKERS,
    ...(pcs === undefined ? {} : { pcs: withoutSlash(address('--pcs', pcs)) }),
    ...(rootCrl === undefined ? {} : { rootCrl: address('--root-crl', rootCrl) }),
    ...(kds === undefined ? {} : { kds: withoutSlash(address('--kds', kds)) }),
    ...(nvidia === undefined ? {} : { nvidia: address('--nvidia', nvidia) }),
    ...(google === undefined ? {} : { google: address('--google', google) }),
    ...(microsoft === undefined ? {} : { microsoft: microsoft.map((each) => address('--microsoft', each)) }),
  }
}

function address(option: string, text: string): string {
  if (/^https?:\/\/./.test(text) && URL.canParse(text)) return text
  throw new CountersignError(
    'usage/invalid',
    `${option}: ${quote(text)} is no address; expected one such as https://mirror.example/path`,
  )
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, '')
}

/** The evidence of a gateway for a challenge, kept as it came. */
async function askGateway(address: string, { nonce, evidenceOut }: FetchOptions): Promise<UnverifiedEvidence> {
  const challenge = nonce?.toLowerCase() ?? toHex(randomBytes(NONCE_BYTES))
  if (!/^[0-9a-f]{64}$/.test(challenge)) {
    throw new CountersignError('usage/invalid', '--nonce: expected 64 hexadecimal digits')
  }
  const url = `${withoutSlash(address)}/attestation?nonce=${challenge}`
  let reply: Response
  let body: Uint8Array
  try {
    reply = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) })
    body = await readBounded(reply)
  } catch (thrown) {
    if (thrown instanceof CountersignError) throw thrown
    throw new CountersignError('gateway/unreachable', `${address}: no gateway answers there`)
  }
  if (!reply.ok) {
    throw new CountersignError('gateway/refused', `${address}: it gives no evidence (status ${reply.status})`)
  }
  const evidence = parseEvidence(body)
  writeOutput(evidenceOut, body)
  print(`evidence for the challenge ${challenge}: ${evidenceOut}`)
  return evidence
}

/** Of a gateway that nobody trusts yet: no more than evidence can have is read. */
async function readBounded({ body }: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body ?? []) {
    length += chunk.length
    if (length > MAX_EVIDENCE_BYTES) throw new CountersignError('bytes/too-large', 'the evidence is too large')
    chunks.push(chunk)
  }
  return new Uint8Array(Buffer.concat(chunks))
}
