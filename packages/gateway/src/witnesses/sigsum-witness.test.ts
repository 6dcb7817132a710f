/** Sigsum's name for the log, and Sigsum's own witness where it is installed. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import {
  concat,
  formatAddCheckpoint,
  formatNoteKey,
  NOTE_COSIGNATURE,
  noteKey,
  openCosignature,
  parseCosignatureLines,
  parseNote,
  toBase64,
  toHex,
  utf8,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import type { Config } from '../config/config.ts'
import { answered, startGateway, temporaryFolder, testConfig } from '../gateway.testing.ts'
import { logKeyOf } from '../verdict.testing.ts'
import { eventually } from './witnessed-gateway.testing.ts'

const crypto = createNodeCrypto()

/** What an SSH public key begins with: the lengths and names of its parts. */
const SSH_HEAD = Buffer.from('0000000b7373682d6564323535313900000020', 'hex')

test('with "origin: sigsum" the log is called what Sigsum calls it, and goes on to be', async (context) => {
  const config: Config = { ...testConfig(temporaryFolder(context)), origin: 'sigsum' }
  const { gateway, stop } = await startGateway(context, config)
  const { name, publicKey } = logKeyOf(gateway)
  assert.equal(name, `sigsum.org/v1/tree/${createHash('sha256').update(publicKey).digest('hex')}`)
  await answered(gateway)
  await stop()
  assert.equal(gateway.publishedCheckpoint()?.split('\n')[0], name)
  const again = await startGateway(context, config)
  assert.deepEqual(logKeyOf(again.gateway), { ...logKeyOf(gateway) })
  await again.stop()
  await assert.rejects(startGateway(context, { ...config, origin: 'example.org/log' }), { code: 'config/malformed' })
})

const MISSING = ['sigsum-witness', 'sigsum-key'].filter((each) => spawnSync(each, ['--help']).error !== undefined)

test('Sigsum’s own witness cosigns the log', { skip: skipReason() }, async (context) => {
  const folder = temporaryFolder(context)
  const base: Config = { ...testConfig(folder), origin: 'sigsum' }
  const first = await startGateway(context, base)
  await answered(first.gateway)
  await first.stop()
  const witness = await startSigsumWitness(context, folder, logKeyOf(first.gateway).publicKey)
  // It says its name with its first line; from there on the log has to catch it up.
  const note = parseNote(utf8(first.gateway.publishedCheckpoint() ?? ''))
  const body = formatAddCheckpoint({ oldSize: 0, proof: [], checkpoint: note })
  const reply = await fetch(`${witness.url}/add-checkpoint`, { method: 'POST', body })
  if (reply.status === 404) {
    context.skip('this sigsum-witness does not speak tlog-witness yet')
    return
  }
  assert.equal(reply.status, 200)
  const [line] = parseCosignatureLines(await reply.text())
  const key = noteKey(crypto, line?.name ?? '', NOTE_COSIGNATURE, witness.publicKey)
  assert.equal(toHex(key.id), toHex(line?.id ?? new Uint8Array(4)))
  const policy = `witness sigsum ${formatNoteKey(key)} ${witness.url}\n`
  const quorum = { name: 'sigsum', unmetAfterSeconds: 60, whenUnmet: 'flag' } as const
  const { gateway, errors } = await startGateway(context, {
    ...base,
    witnesses: { policyFile: '', policy, askMs: 1000 },
    deployments: base.deployments.map((each) => ({ ...each, quorum })),
  })
  await answered(gateway)
  await eventually('a cosignature on what is published', () => {
    const published = parseNote(utf8(gateway.publishedCheckpoint() ?? ''))
    const isNewest = Number(published.text.split('\n')[1]) === gateway.log.head?.size
    return isNewest && openCosignature(crypto, published, key) !== undefined
  })
  assert.deepEqual(errors, [])
})

function skipReason(): string | false {
  return MISSING.length > 0 && `${MISSING.join(' and ')} not installed (Debian's package sigsum-go has them)`
}

async function startSigsumWitness(context: TestContext, folder: string, logKey: Uint8Array) {
  const keyFile = join(folder, 'witness.key')
  const generated = spawnSync('sigsum-key', ['generate', '-o', keyFile], { encoding: 'utf8' })
  assert.equal(generated.status, 0, generated.stderr)
  const [, encoded = ''] = readFileSync(`${keyFile}.pub`, 'utf8').split(' ')
  const logKeyFile = join(folder, 'log.pub')
  writeFileSync(logKeyFile, `ssh-ed25519 ${toBase64(concat(SSH_HEAD, logKey))}\n`)
  const address = `127.0.0.1:${await freePort()}`
  const state = join(folder, 'witness.state')
  const options = ['--signing-key', keyFile, '--log-key', logKeyFile, '--state-file', state, address]
  const child = spawn('sigsum-witness', options, { stdio: 'ignore' })
  context.after(() => end(child))
  const url = `http://${address}`
  await eventually('the witness listens', () =>
    fetch(url).then(
      () => true,
      () => false,
    ),
  )
  return { url, publicKey: new Uint8Array(Buffer.from(encoded, 'base64').subarray(SSH_HEAD.length)) }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  child.kill()
  await once(child, 'exit')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  return typeof address === 'object' && address !== null ? address.port : 0
}
