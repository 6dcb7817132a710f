import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { countersign } from '../run.testing.ts'

const VECTORS = fileURLToPath(new URL('../../../../vectors/', import.meta.url))

/** Writes the parts of a verdict's vector as files: their names by part. */
function filesOf(context: TestContext, vector: string) {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-verify-'))
  context.after(() => rmSync(folder, { recursive: true }))
  const { trust, dossier, misbehaviour, atMs } = JSON.parse(readFileSync(join(VECTORS, 'verdict', vector), 'utf8'))
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  return {
    write,
    trust: ['--trust', write('trust.yaml', trust), '--at', new Date(atMs).toISOString()],
    dossier: write('dossier.json', JSON.stringify(dossier)),
    proofs: (misbehaviour as readonly object[]).map((proof, i) => write(`proof-${i}.json`, JSON.stringify(proof))),
    proof: misbehaviour[0],
  }
}

test('a proof of misbehaviour alone: what, against whom, up to where', async (context) => {
  const { trust, proofs } = filesOf(context, 'fork-after-the-answer.json')
  const told = await countersign('verify', ...proofs, ...trust)
  assert.equal(told.code, 1, told.stderr)
  assert.match(told.stdout, /misbehaviour proven {2}two-heads-of-one-size/)
  assert.match(told.stdout, /whoever holds the key of log example\.org\/countersign-test-log\s+example\.org/)
  assert.match(told.stdout, /common: the first 5 entries/)
  const report = JSON.parse((await countersign('verify', ...proofs, ...trust, '--json')).stdout)
  const [{ misbehaviour }] = report.results
  assert.deepEqual([report.format, report.exitCode], ['countersign-report/v1', 1])
  assert.equal(misbehaviour.kind, 'two-heads-of-one-size')
  assert.equal(misbehaviour.log, 'example.org/countersign-test-log')
  assert.match(misbehaviour.key, /^example\.org\/countersign-test-log\+/)
  assert.equal(misbehaviour.commonSize, 5)
  assert.match(misbehaviour.commonRoot, /^[0-9a-f]{64}$/)
})

test('without a common history it says that nothing stands', async (context) => {
  const { trust, proofs } = filesOf(context, 'fork-without-common-history.json')
  const told = await countersign('verify', ...proofs, ...trust)
  assert.equal(told.code, 1)
  assert.match(told.stdout, /common: not shown/)
  const { results } = JSON.parse((await countersign('verify', ...proofs, ...trust, '--json')).stdout)
  assert.deepEqual([results[0].misbehaviour.commonSize, results[0].misbehaviour.commonRoot], [0, null])
})

test('a file that proves nothing, or cannot be read, ends with 2', async (context) => {
  const { trust, proof, write } = filesOf(context, 'fork-after-the-answer.json')
  const same = write('same.json', JSON.stringify({ ...proof, common: undefined, second: proof.first }))
  const told = await countersign('verify', same, ...trust)
  assert.equal(told.code, 2)
  assert.match(told.stdout, /misbehaviour\/not-proven/)
  const newer = write('newer.json', JSON.stringify({ ...proof, format: 'countersign-misbehaviour/v2' }))
  const { code, stdout } = await countersign('verify', newer, ...trust, '--json')
  assert.deepEqual([code, JSON.parse(stdout).results[0].error.code], [2, 'shape/bad-value'])
})

test('a proof needs a trust file', async (context) => {
  const { proofs } = filesOf(context, 'fork-after-the-answer.json')
  const told = await countersign('verify', ...proofs)
  assert.equal(told.code, 2)
  assert.match(told.stderr, /usage\/invalid.*--trust/)
})

test('beside dossiers a proof counts in their verdicts, in any order', async (context) => {
  const { trust, dossier, proofs } = filesOf(context, 'fork-before-the-answer.json')
  for (const files of [
    [dossier, ...proofs],
    [...proofs, dossier],
  ]) {
    const { code, stdout } = await countersign('verify', ...files, ...trust, '--json')
    const { results } = JSON.parse(stdout)
    assert.equal(code, 1)
    assert.deepEqual(
      results.map((each: { file: string }) => each.file),
      files,
    )
    const { satisfaction } = results[files.indexOf(dossier)]
    assert.equal(satisfaction, 'refuted')
  }
  const alone = await countersign('verify', dossier, ...trust)
  assert.equal(alone.code, 0)
})

test('a record that stands: 0 with --misbehaviour, 1 where the proof is one of the files', async (context) => {
  const { trust, dossier, proofs } = filesOf(context, 'fork-after-the-answer.json')
  const named = await countersign('verify', dossier, ...trust, '--misbehaviour', ...proofs)
  assert.equal(named.code, 0, named.stderr)
  assert.match(named.stdout, /does not prove: that the log is honest/)
  const beside = await countersign('verify', dossier, ...proofs, ...trust, '--json')
  assert.equal(beside.code, 1)
  const [first, second] = JSON.parse(beside.stdout).results
  assert.deepEqual([first.satisfaction, second.misbehaviour.commonSize], ['satisfied', 5])
})

test('slashes may be escaped, and a dossier that only speaks of proofs is none', async (context) => {
  const { trust, proof, dossier, write } = filesOf(context, 'fork-after-the-answer.json')
  const escaped = write('escaped.json', JSON.stringify(proof).replace('misbehaviour/v1', 'misbehaviour\\/v1'))
  assert.equal((await countersign('verify', escaped, ...trust)).code, 1)
  const text = readFileSync(dossier, 'utf8').replace(
    '"evidence":[]',
    '"evidence":[{"mediaType":"countersign-misbehaviour","content":""}]',
  )
  const { code, stdout } = await countersign('verify', write('speaks.json', text), ...trust)
  assert.equal(code, 0, stdout)
})

test('several files end with what was required, and how many came out how', async (context) => {
  const { dossier, trust, proofs } = filesOf(context, 'log-misbehaved.json')
  const told = await countersign('verify', dossier, dossier, ...proofs, ...trust, '--require', 'independence:witnessed')
  assert.match(
    told.stdout,
    /\nRequired: record, independence \(witnessed or better\)\n3 files: 2 refuted, 1 of misbehaviour\n/,
  )
  const alone = await countersign('verify', dossier, ...trust)
  assert.doesNotMatch(alone.stdout, /Required/)
})

test('a promise that was not seen kept is shown as that, and takes no answer with it', async (context) => {
  const { dossier, trust, proofs } = filesOf(context, 'promise-not-kept-in-time.json')
  const told = await countersign('verify', ...proofs, ...trust)
  assert.equal(told.code, 1, told.stderr)
  assert.match(told.stdout, /promise not kept in time {2}promise-not-covered[\s\S]*answers of this log stand/)
  const beside = await countersign('verify', dossier, ...trust, '--misbehaviour', ...proofs)
  assert.equal(beside.code, 0, beside.stdout)
  assert.match(beside.stdout.replace(/\s+/g, ' '), /record holds witnessed[\s\S]*that the log keeps its promises/)
})
