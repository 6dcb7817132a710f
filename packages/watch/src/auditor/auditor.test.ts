import assert from 'node:assert/strict'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import {
  decideVerdict,
  findRow,
  parseAuditResult,
  parseBundle,
  parseDossier,
  parseEnvelope,
  parseStatement,
  parseTrustFile,
  utf8,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { createNoteSigner } from '../log-client/log-server.testing.ts'
import { type AuditedGateway, createKey, type Evasion, startAuditedGateway } from './audited-gateway.testing.ts'
import { type AuditOptions, audit, createFolder } from './auditor.testing.ts'

const crypto = createNodeCrypto()

/** Six entries come in once the commitment stands: the epoch of the usual plan. */
type Traffic = (gateway: AuditedGateway, place: number) => void

async function stage(context: TestContext, agreement?: 'tolerant', origin?: string) {
  const { gateway, stop } = await startAuditedGateway(agreement, origin)
  context.after(stop)
  const { path, remove } = createFolder()
  context.after(remove)
  const key = createKey()
  gateway.writers.set(key.keyId, key.spki)
  /** Runs one epoch; `traffic` comes in when the commitment is logged. */
  const run = (traffic: Traffic = (each) => void each.answer(), options: Partial<AuditOptions> = {}) =>
    audit(gateway, {
      ...{ folder: path, key },
      onProgress: (line) => {
        if (line.startsWith('committed')) for (let i = 0; i < 6; i++) traffic(gateway, i)
      },
      ...options,
    })
  const files = (report: { readonly commitment: { readonly statement: string } } | undefined, name: string) =>
    join(path, 'audits', report?.commitment.statement.slice(0, 16) ?? '', name)
  return { gateway, path, key, run, files }
}

test('an honest operator agrees throughout; result, report and receipts are kept', async (context) => {
  const { gateway, path, run, files } = await stage(context)
  const report = await run()
  assert.ok(report)
  assert.equal(report.exitCode, 0)
  assert.deepEqual([report.seen, report.sampled, report.counts.agreed], [6, 6, 6])
  assert.deepEqual(report.headline, { sampled: 6, failures: 0, excludedAboveMillionths: 535_842 })
  assert.equal(report.cost.currency, 'EUR')
  assert.ok(report.result.index !== null)
  const result = parseAuditResult(parseStatement(gateway.payload(report.result.index ?? -1)))
  assert.equal(result.entries.length, 6)
  const kept = parseEnvelope(JSON.parse(readFileSync(files(report, 'result.json'), 'utf8')))
  assert.deepEqual(Buffer.from(kept.payload), Buffer.from(gateway.payload(report.result.index ?? -1)))
  assert.deepEqual(JSON.parse(readFileSync(files(report, 'report.json'), 'utf8')), report)
  for (const name of ['commitment.json', 'commitment.receipt.json', 'result.receipt.json'])
    assert.ok(existsSync(files(report, name)), name)
  assert.equal(existsSync(join(path, 'state.json')), false, 'nothing is under way')
  assert.equal((await run())?.commitment.index, (report.result.index ?? 0) + 1, 'and another epoch can follow')
})

test('a receipt is kept when a head covers the statement, and not before', async (context) => {
  const { gateway, run, files } = await stage(context)
  gateway.coversAfter = 2
  const report = await run()
  for (const name of ['commitment.receipt.json', 'result.receipt.json']) {
    const { bundle } = JSON.parse(readFileSync(files(report, name), 'utf8'))
    assert.ok(parseBundle(bundle).index > 0, name)
  }
})

test('wrong answers are caught, with evidence that a stranger can check', async (context) => {
  const { gateway, run, files } = await stage(context)
  const report = await run((each, i) => void each.answer({ isWrong: i % 3 === 1 }))
  assert.ok(report)
  assert.equal(report.exitCode, 1)
  assert.deepEqual([report.counts.agreed, report.counts.differed], [4, 2])
  assert.deepEqual(
    report.exceptions.map(({ code }) => code),
    ['execution/output-differs', 'execution/output-differs'],
  )
  const [first] = report.exceptions
  assert.equal(first?.evidence, files(report, `evidence/${first?.index}.dossier.json`))
  const dossier = parseDossier(readFileSync(first?.evidence ?? ''))
  const { execution } = JSON.parse(readFileSync(files(report, `evidence/${first?.index}.execution.json`), 'utf8'))
  const outputs = execution.outputs.map((each: { data: number[]; datatype: string }) => ({
    ...each,
    data: each.datatype === 'FP32' ? Float32Array.from(each.data) : BigInt64Array.from(each.data.map(BigInt)),
  }))
  const trust = parseTrustFile(crypto, utf8(gateway.trustText()))
  const verdict = decideVerdict(dossier, { crypto, trust, atMs: Date.now(), executions: [{ ...execution, outputs }] })
  assert.equal(findRow(verdict, 'output').status, 'refuted')
})

test('an answer that its own manifest does not allow differs, and nothing need be run to see it', async (context) => {
  const { run } = await stage(context)
  const report = await run((each, i) => void each.answer({ isUnlisted: i === 0 }))
  assert.deepEqual(
    [report?.counts.differed, report?.exceptions[0]?.code, report?.exitCode],
    [1, 'statement/mismatch', 1],
  )
})

test('an answer whose operator committed to what is no request differs: it cannot keep wrong ones from being run again', async (context) => {
  const { run } = await stage(context)
  const requests = [
    '',
    '{"inputs":[]',
    '{"inputs":7}',
    '{"inputs":[{"name":"application","datatype":"FP32","shape":[1,17],"data":[1]}]}',
  ]
  const report = await run((each, i) => void each.answer({ isWrong: true, request: requests[i] ?? '{}' }))
  assert.deepEqual([report?.counts['not-comparable'], report?.counts.differed, report?.exitCode], [0, 6, 1])
})

test('what nobody can run again counts for nobody, and is shown', async (context) => {
  const relayed = await stage(context)
  const report = await relayed.run((each, i) => void each.answer({ isRelayed: i < 2 }))
  assert.deepEqual([report?.counts['not-comparable'], report?.counts.agreed, report?.exitCode], [2, 4, 0])
  assert.equal(report?.headline.sampled, 4)
  const tolerant = await stage(context, 'tolerant')
  const second = await tolerant.run((each, i) => void each.answer({ isWrong: i < 2 }))
  assert.deepEqual([second?.counts['not-comparable'], second?.counts.agreed], [2, 4])
})

test('entries that are no answers are told by their public text', async (context) => {
  const { gateway, run } = await stage(context)
  const other = {
    subjects: [{ name: 'x', digest: { sha256: 'ab'.repeat(32) } }],
    predicateType: 'urn:example',
    predicate: {},
  }
  const report = await run((each, i) => void (i < 2 ? each.append(other) : each.answer()))
  assert.deepEqual([report?.counts['not-an-answer'], report?.counts.agreed, report?.exitCode], [2, 4, 0])
  // The text of another entry shows nothing of this one.
  gateway.evade = () => ({ kind: 'other-entry', index: 1 })
  const cheated = await run()
  assert.equal(cheated?.counts['evidence-missing'], 6)
})

const EVASIONS: readonly (readonly [string, Evasion, string, string])[] = [
  ['refuses', { kind: 'refuse', status: 403, code: 'auth/not-allowed' }, 'refused', 'auth/not-allowed'],
  ['says that it was erased', { kind: 'refuse', status: 410, code: 'vault/erased' }, 'refused', 'vault/erased'],
  ['knows nothing of it', { kind: 'refuse', status: 404, code: 'receipt/not-found' }, 'refused', 'receipt/not-found'],
  ['takes the key away', { kind: 'refuse', status: 401, code: 'auth/revoked-key' }, 'refused', 'auth/revoked-key'],
  ['fails', { kind: 'refuse', status: 500, code: 'internal' }, 'evidence-missing', 'http/500'],
  ['puts it off for ever', { kind: 'refuse', status: 202, code: '' }, 'evidence-missing', 'receipt/not-yet-included'],
  ['hangs', { kind: 'hang' }, 'evidence-missing', 'watch/unreachable'],
  ['opens something else', { kind: 'other-opening' }, 'evidence-missing', 'opening/commitment-mismatch'],
  ['opens nothing', { kind: 'no-opening' }, 'evidence-missing', 'opening/missing'],
  ['gives another entry’s dossier', { kind: 'other-entry', index: 3 }, 'evidence-missing', 'leaf/mismatch'],
  ['gives what is no dossier', { kind: 'text', text: '{}' }, 'evidence-missing', 'shape/missing-field'],
  ['gives what is no JSON', { kind: 'text', text: '<html>' }, 'evidence-missing', 'json/malformed'],
  ['says what looks like no code', { kind: 'refuse', status: 400, code: '\u202e\n' }, 'refused', 'http/400'],
]

for (const [what, evasion, outcome, code] of EVASIONS) {
  test(`an operator that ${what}: ${outcome}, and it counts against it`, async (context) => {
    const { gateway, run } = await stage(context)
    let first = -1
    gateway.evade = (index) => {
      if (first < 0 && index > 3) first = index
      return index === first ? evasion : undefined
    }
    const report = await run(undefined, { timeoutMs: 500, plan: { answerWithinSeconds: 1 } })
    assert.ok(report)
    assert.deepEqual([report.counts.agreed, report.counts[outcome as 'refused'], report.exitCode], [5, 1, 3])
    assert.deepEqual([report.exceptions.length, report.exceptions[0]?.code], [1, code])
    assert.deepEqual([report.headline.failures, report.answered.failures], [1, 0])
    assert.ok(report.headline.excludedAboveMillionths > report.answered.excludedAboveMillionths)
  })
}

test('an operator that answers only the cheap ones: silence about the others counts', async (context) => {
  const { gateway, run } = await stage(context)
  gateway.evade = (index) => (index % 2 === 0 && index > 3 ? { kind: 'hang' } : undefined)
  const report = await run((each, i) => void each.answer({ isWrong: i % 2 === 1 }), {
    timeoutMs: 300,
    plan: { answerWithinSeconds: 1 },
  })
  assert.deepEqual([report?.counts['evidence-missing'], report?.counts.agreed, report?.exitCode], [3, 3, 3])
})

test('an entry that the operator says is of another deployment is shown as such, by its word alone', async (context) => {
  const { gateway, run } = await stage(context)
  gateway.evade = (index) => (index === 5 ? { kind: 'refuse', status: 403, code: 'auth/not-allowed' } : undefined)
  const report = await run(undefined, { plan: { deployments: ['credit'] } })
  assert.deepEqual([report?.counts['out-of-scope'], report?.counts.refused, report?.exitCode], [1, 0, 0])
  assert.equal(report?.exceptions[0]?.outcome, 'out-of-scope')
})

test('an auditor without the model counts for nobody, says so, and does not pass', async (context) => {
  const { run, path } = await stage(context)
  const report = await run(undefined, { modelFolders: [path] })
  assert.deepEqual([report?.counts.unavailable, report?.headline.sampled, report?.exitCode], [6, 0, 3])
  assert.equal(report?.headline.excludedAboveMillionths, 1_000_000)
  assert.equal(report?.exceptions[0]?.code, 'execution/model-not-found')
})

test('a gateway that takes no audit of ours, or no question, is found out before anything is committed', async (context) => {
  const { gateway, run, path, key } = await stage(context)
  const size = gateway.log.tree.size
  await assert.rejects(run(undefined, { apiKey: `csk_${'b'.repeat(43)}` }), { code: 'gateway/refused' })
  assert.equal(existsSync(join(path, 'state.json')), false)
  gateway.writers.delete(key.keyId)
  await assert.rejects(run(), { code: 'gateway/refused' })
  assert.equal(gateway.log.tree.size, size)
  // Once it lets us in, the same commitment goes out: no seed is thrown away unseen.
  const state = JSON.parse(readFileSync(join(path, 'state.json'), 'utf8')) as { seed: string }
  assert.equal(statSync(join(path, 'state.json')).mode & 0o777, 0o600)
  gateway.writers.set(key.keyId, key.spki)
  const report = await run()
  const result = parseAuditResult(parseStatement(gateway.payload(report?.result.index ?? -1)))
  assert.equal(result.seed, state.seed)
})

test('a commitment that is said to be where the log never gets to ends the audit, also one that time would end', async (context) => {
  const { gateway, run, path } = await stage(context)
  gateway.place = (index) => index + 1_000_000
  const plan = { answerWithinSeconds: 1 }
  await assert.rejects(run(undefined, { plan }), { code: 'gateway/refused', message: /its log has/ })
  const other = await stage(context)
  other.gateway.place = gateway.place
  await assert.rejects(other.run(undefined, { plan: { ...plan, forMs: 100 } }), { code: 'gateway/refused' })
  assert.ok(existsSync(join(path, 'state.json')), 'the seed is kept')
})

test('a result that the gateway does not log is kept, and said so', async (context) => {
  const { gateway, run, files } = await stage(context)
  const report = await run((each, i) => {
    each.answer()
    if (i === 5) each.refusePosts = 403
  })
  assert.deepEqual([report?.result.index, report?.exitCode], [null, 3])
  assert.ok(existsSync(files(report, 'result.json')))
  assert.equal(gateway.refusePosts, 403)
})

test('a log whose heads contradict each other stops the audit', async (context) => {
  const { gateway, run } = await stage(context)
  const honest = gateway.log.tree
  let isForked = false
  const attempt = run(
    (each, i) => {
      each.answer()
      if (i !== 3) return
      // Every entry after the second is another one.
      const fork = honest.fork(2)
      for (const entry of honest.entries.slice(2)) fork.append(new Uint8Array([...entry, 0]))
      setTimeout(() => {
        isForked = true
        each.log.tree = fork
        for (let more = 0; more < 9; more++) fork.append(new Uint8Array([more]))
      }, 200)
    },
    { plan: { entries: 8 } },
  )
  await assert.rejects(attempt, (thrown: { code?: string }) =>
    /^(proof\/root-mismatch|leaf\/mismatch)$/.test(thrown.code ?? ''),
  )
  assert.ok(isForked)
})

test('under a quorum, heads that nobody confirmed end no epoch', async (context) => {
  const { gateway, run } = await stage(context)
  const witness = createNoteSigner('witness.example/a', 4)
  const trust = gateway.trustText({ witnesses: [[witness.key]] })
  const confirm = () => {
    gateway.cosign = [(text) => witness.sign(text, Math.floor(Date.now() / 1000))]
  }
  let isConfirmed = false
  const report = await run(
    (each, i) => {
      each.answer()
      if (i === 5) {
        setTimeout(() => {
          isConfirmed = true
          confirm()
        }, 300)
      }
    },
    { trust, plan: { answerWithinSeconds: 5 } },
  )
  assert.ok(isConfirmed)
  assert.deepEqual([report?.counts.agreed, report?.exitCode], [6, 0])
})

test('time ends an epoch with the first head that is late enough', async (context) => {
  const { gateway, run } = await stage(context)
  const report = await run(undefined, { plan: { entries: 1000, forMs: 300 } })
  assert.ok(report && report.seen >= 6 && report.seen < 1000)
  assert.equal(report.to, gateway.log.tree.size - 1, 'all but the result')
})

test('what is under way with another gateway or key is not gone on with', async (context) => {
  const [first, second] = [await stage(context), await stage(context, undefined, 'example.org/another-log')]
  first.gateway.writers.delete(first.key.keyId)
  await assert.rejects(first.run(), { code: 'gateway/refused' })
  const { path: folder, key } = first
  await assert.rejects(audit(second.gateway, { folder, key }), { code: 'usage/invalid' })
  await assert.rejects(audit(first.gateway, { folder, key: second.key }), { code: 'usage/invalid' })
  first.gateway.writers.set(key.keyId, key.spki)
  assert.equal((await first.run())?.exitCode, 0)
})

test('a gateway that is not there is unreachable; a state folder has one auditor', async (context) => {
  const { gateway, run, path, key } = await stage(context)
  const gone = Object.assign(Object.create(Object.getPrototypeOf(gateway)), gateway, {
    url: 'http://127.0.0.1:9',
  }) as AuditedGateway
  await assert.rejects(audit(gone, { folder: path, key, trust: gateway.trustText() }), { code: 'watch/unreachable' })
  const stop = new AbortController()
  const running = run(() => undefined, { signal: stop.signal })
  await assert.rejects(run(), { code: 'data/locked' })
  stop.abort()
  assert.equal(await running, undefined)
})
