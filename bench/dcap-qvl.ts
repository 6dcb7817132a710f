/** Another verifier of TDX quotes, `dcap-qvl`: as JavaScript, and as WebAssembly, which is installed aside at the first run. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { OracleModule } from '../packages/verify/dist/attestation/tdx/oracle.testing.js'

const FOLDER = fileURLToPath(new URL('./dcap-qvl/', import.meta.url))
const MODULE = join(FOLDER, 'node_modules', '@phala', 'dcap-qvl-web', 'dcap-qvl-web.js')
const INSTALL_LIMIT_MS = 180_000

/** Throws where it does not accept the quote. */
export type Verify = (quote: Uint8Array, collateral: { readonly [name: string]: string }, atMs: number) => void

/** The one in JavaScript, with its own root or with another. */
export function dcapQvl(root?: Uint8Array): Verify {
  const module = createRequire(import.meta.url)('@phala/dcap-qvl') as OracleModule
  const verifier = root === undefined ? module : module.QuoteVerifier.newWithRootCa(Buffer.from(root))
  return (quote, collateral, atMs) => {
    verifier.verify(Buffer.from(quote), collateral, atMs / 1000)
  }
}

interface WebModule {
  initSync(given: { readonly module: Uint8Array }): void
  js_verify(quote: Uint8Array, collateral: { readonly [name: string]: string }, atSeconds: bigint): unknown
}

/** The one in WebAssembly, which takes no other root than Intel's; `undefined` where it cannot be installed. */
export async function dcapQvlWeb(): Promise<Verify | undefined> {
  if (!existsSync(MODULE) && !install()) return undefined
  const { initSync, js_verify: verify } = (await import(MODULE)) as WebModule
  initSync({ module: readFileSync(MODULE.replace(/\.js$/, '_bg.wasm')) })
  return (quote, collateral, atMs) => {
    verify(quote, collateral, BigInt(atMs / 1000))
  }
}

function install(): boolean {
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund']
  const { status } = spawnSync('npm', args, { cwd: FOLDER, stdio: 'ignore', timeout: INSTALL_LIMIT_MS })
  return status === 0 && existsSync(MODULE)
}
