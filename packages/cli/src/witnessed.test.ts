/** A gateway, three witnesses, and a relying party: all of the product's own. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Config, exampleConfig, Gateway } from '@countersign/gateway'
import { decideVerdict, findRow, parseDossier, parseTrustFile, utf8 } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { type RunningWitness, readWitnessConfigFile, startWitness } from '@countersign/watch/witness'
import { bundledModels } from './files.ts'
import { countersign } from './run.testing.ts'
import { readGatewayKeys } from './trust-file-text.ts'

const crypto = createNodeCrypto()
const NAMES = ['w1', 'w2', 'w3']
const REQUEST = JSON.stringify({
  inputs: [
    { name: 'application', datatype: 'FP32', shape: [1, 17], data: Array.from({ length: 17 }, (_, i) => i % 3) },
  ],
})

type Cleanups = (() => void | Promise<void>)[]

/** What is to be done when the test is over; what was put there last is done first. */
function cleanupsOf(context: TestContext): Cleanups {
  const cleanups: Cleanups = []
  context.after(async () => {
    for (const each of cleanups.reverse()) await each()
  })
  return cleanups
}

function testFolder(cleanups: Cleanups): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-witnessed-'))
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function startGateway(cleanups: Cleanups, config: Config) {
  const errors: string[] = []
  const notices = { info: () => undefined, error: (message: string) => errors.push(message) }
  const gateway = await Gateway.start({ config, notices })
  let closed: Promise<void> | undefined
  const close = () => {
    closed ??= gateway.close()
    return closed
  }
  cleanups.push(close)
  return { gateway, errors, close }
}

async function startOwnWitness(cleanups: Cleanups, folder: string, name: string, logKey: string) {
  const path = join(folder, `${name}.yaml`)
  writeFileSync(
    path,
    `format: countersign-witness/v1\nname: ${name}.example.org/w\nlisten: { port: 0 }\ndata: ${name}-data\nlogs:\n  - key: ${logKey}\n`,
  )
  const onHalt = (error: Error) => assert.fail(error.message)
  const witness = await startWitness({ config: readWitnessConfigFile(crypto, path), onHalt })
  let closed: Promise<void> | undefined
  const close = () => {
    closed ??= witness.close()
    return closed
  }
  cleanups.push(close)
  return { ...witness, close }
}

/** Three witnesses of the log in the data folder, and the file of a policy that two of them are enough for. */
async function startWitnesses(cleanups: Cleanups, folder: string, data: string) {
  const { log } = readGatewayKeys(data)
  const witnesses: RunningWitness[] = []
  for (const name of NAMES) witnesses.push(await startOwnWitness(cleanups, folder, name, log))
  const lines = witnesses.map(({ policyLine }) => policyLine)
  const members = NAMES.map((name) => `${name}.example.org/w`).join(' ')
  const policyFile = join(folder, 'witnesses.policy')
  const policy = `${lines.join('\n')}\ngroup two 2 ${members}\n`
  writeFileSync(policyFile, policy)
  return { witnesses, policyFile, policy }
}

/** Whether the dossier that `infer` keeps has witnesses’ lines under its head, beside the log’s own. */
async function inferOne(folder: string, url: string) {
  const input = join(folder, 'request.json')
  writeFileSync(input, REQUEST)
  const options = ['--raw', '--input', input, '--out', join(folder, 'dossiers'), '--json']
  const { stdout, stderr } = await countersign('infer', 'credit', '--gateway', url, ...options)
  const { dossier } = JSON.parse(stdout) as { dossier: string }
  return { stderr, isWitnessed: readFileSync(dossier, 'utf8').includes('— w2.example.org/w ') }
}

test('an answer’s record is witnessed, for a relying party that asks for two of three witnesses', async (context) => {
  const cleanups = cleanupsOf(context)
  const folder = testFolder(cleanups)
  const data = join(folder, 'data')
  const example = exampleConfig(data, join(bundledModels(), 'credit', 'credit.onnx'))
  const base: Config = { ...example, listen: { host: '127.0.0.1', port: 0 } }
  // The first start makes the log's key, which witnesses must know.
  await (await startGateway(cleanups, base)).close()
  const { witnesses, policyFile, policy } = await startWitnesses(cleanups, folder, data)
  const quorum = { name: 'two', unmetAfterSeconds: 60, whenUnmet: 'refuse' } as const
  const { gateway, errors } = await startGateway(cleanups, {
    ...base,
    witnesses: { policyFile, policy, askMs: 1000 },
    deployments: base.deployments.map((each) => ({ ...each, quorum })),
  })
  const ask = async () => {
    const answer = await fetch(`${gateway.url}/v2/models/credit/infer`, { method: 'POST', body: REQUEST })
    assert.equal(answer.status, 200, await answer.clone().text())
    const headers = {
      authorization: `Bearer ${answer.headers.get('countersign-secret')}`,
      prefer: 'wait=20, witnessed',
    }
    return fetch(`${gateway.url}/dossiers/${answer.headers.get('countersign-receipt')}`, { headers })
  }
  const trust = await countersign('log', 'trust', '--data', data, '--policy', policyFile, '--quorum', 'two')
  assert.equal(trust.code, 0, trust.stderr)
  const input = { crypto, trust: parseTrustFile(crypto, utf8(trust.stdout)), atMs: Date.now(), executions: [] }
  for (let i = 0; i < 3; i++) {
    const dossier = await ask()
    assert.equal(dossier.headers.get('countersign-witnessed'), 'true')
    const verdict = decideVerdict(parseDossier(new Uint8Array(await dossier.arrayBuffer())), input)
    const { status, grade } = findRow(verdict, 'record')
    assert.deepEqual([status, grade], ['holds', 'witnessed'])
    const { notBeforeMs, notAfterMs, operatorMs } = verdict.time
    assert.ok(notAfterMs !== null && operatorMs !== null)
    // The first may cite a head that nobody had confirmed yet.
    if (i > 0) assert.ok(notBeforeMs !== null && notBeforeMs <= operatorMs, verdict.time.reason)
    assert.ok(operatorMs <= notAfterMs, verdict.time.reason)
    // One of them stops for good; the two that are left are enough.
    if (i === 1) await witnesses[0]?.close()
  }
  assert.deepEqual(await inferOne(folder, gateway.url), { stderr: '', isWitnessed: true })
  for (let i = 0; i < 3000 && gateway.publishedCheckpoint()?.split('— ').length !== 4; i++) await sleep(10)
  assert.equal(gateway.publishedCheckpoint()?.split('— ').length, 4, 'the log’s line, and those of two')
  assert.deepEqual(
    errors.filter((error) => !/^witness w1\.example\.org\/w does not cosign/.test(error)),
    [],
  )
})
