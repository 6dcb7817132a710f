import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createContext, Script } from 'node:vm'
import { build, type Plugin } from 'esbuild'
import { createNodeCrypto } from './crypto/node-provider.ts'
import { runVerdictCase, type VerdictCase } from './verdict/verdict-case.testing.ts'

const FACE = fileURLToPath(new URL('./index.js', import.meta.url))
const VECTORS = fileURLToPath(new URL('../../../vectors/verdict/', import.meta.url))

/** What a page does with the package, in terms of its public face alone: the text of a vector in, a verdict's text out. */
const PAGE = `
import * as verify from ${JSON.stringify(FACE)}

globalThis.verdictOf = (vectorText) => {
  const { trust: trustText, dossier, atMs, executions = [], misbehaviour, ...place } = JSON.parse(vectorText)
  const crypto = verify.createNobleCrypto()
  const bytesOf = (value) => verify.utf8(JSON.stringify(value))
  const trust = trustText === undefined ? undefined : verify.parseTrustFile(crypto, verify.utf8(trustText))
  const proven = misbehaviour?.flatMap((file) =>
    trust === undefined ? [] : [verify.verifyMisbehaviour(crypto, trust, verify.parseMisbehaviour(bytesOf(file)))])
  const revocations = place.revocations?.map((bundle) =>
    verify.openRevocation(crypto, trust, verify.parseBundle(bundle, 'bundle')))
  const verdict = verify.decideVerdict(verify.parseDossier(bytesOf(dossier)), {
    crypto, atMs,
    executions: executions.map((each) => each.outcome === 'ran'
      ? { ...each, outputs: each.outputs.map((output, i) => verify.parseTensor(output, 'outputs[' + i + ']')) }
      : each),
    ...(proven === undefined ? {} : { misbehaviour: proven }),
    ...(trust === undefined ? {} : { trust }),
    ...(place.roots === undefined ? {} : { roots: place.roots }),
    ...(place.collateral === undefined ? {} : { collateral: verify.parseCollateral(bytesOf(place.collateral)) }),
    ...(revocations === undefined ? {} : { revocations }),
  })
  return JSON.stringify({
    verdict,
    satisfaction: verify.assessVerdict(verdict, trust?.requirements ?? []),
  })
}
`

/** Fails the build on a module of Node's, whoever imports it. */
const noNode: Plugin = {
  name: 'no-node',
  setup({ onResolve }) {
    onResolve({ filter: /^node:/ }, ({ path, importer }) => ({ errors: [{ text: `${importer} imports ${path}` }] }))
  },
}

async function bundle(source: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: fileURLToPath(new URL('.', import.meta.url)) },
    bundle: true,
    format: 'iife',
    platform: 'browser',
    target: 'es2022',
    write: false,
    logLevel: 'silent',
    plugins: [noNode],
  })
  return outputFiles[0]?.text ?? ''
}

/** A context with the two globals that the package asks for, and what the language itself has. */
function bareContext() {
  const context = createContext({ TextEncoder, TextDecoder })
  const missing = new Script(
    `['process', 'Buffer', 'require', 'module', 'fetch', 'crypto', 'atob'].filter((name) => name in globalThis).join()`,
  )
  assert.equal(missing.runInContext(context), '')
  return context
}

test('the package runs in a browser, and gives every verdict byte for byte', async () => {
  const context = bareContext()
  new Script(await bundle(PAGE), { filename: 'bundle.js' }).runInContext(context)
  const nodeCrypto = createNodeCrypto()
  const names = readdirSync(VECTORS)
  assert.ok(names.length > 80)
  for (const name of names) {
    const text = readFileSync(`${VECTORS}${name}`, 'utf8')
    const expected = JSON.stringify(runVerdictCase(JSON.parse(text) as VerdictCase, nodeCrypto))
    const given: unknown = new Script(`verdictOf(${JSON.stringify(text)})`).runInContext(context)
    assert.equal(given, expected, name)
  }
})

test('control: what stands on Node does not bundle', async () => {
  const provider = fileURLToPath(new URL('./crypto/node-provider.js', import.meta.url))
  await assert.rejects(bundle(`import ${JSON.stringify(provider)}`), /imports node:crypto/)
})

test('control: the bare context has no more than it should', () => {
  assert.throws(() => new Script('process.exit()').runInContext(bareContext()), /process is not defined/)
})
