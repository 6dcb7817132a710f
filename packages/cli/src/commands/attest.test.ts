/** `countersign attest` as a process: on evidence of machines that never were, and on real evidence where there is some. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { formatCollateral, formatEvidence } from '@countersign/verify'
import { MEASUREMENT, makeNitroDocument, pemOf, snpEvidence } from '@countersign/verify/testing'
import { countersign } from '../run.testing.ts'

const REAL = join(process.env.COUNTERSIGN_TEST_DATA ?? '', 'attestation')
const NO_REAL_DATA =
  process.env.COUNTERSIGN_TEST_DATA !== undefined && existsSync(REAL)
    ? false
    : 'COUNTERSIGN_TEST_DATA names no folder with real evidence'
const VECTORS = fileURLToPath(new URL('../../../../vectors/', import.meta.url))

const EMPTY = JSON.stringify(formatCollateral({ items: [] }))
const CERTIFICATE = snpEvidence().input.collateral.items[0]?.content ?? new Uint8Array()

const POLICY = `tee: sev-snp\nmeasurements: { measurement: [${MEASUREMENT}] }\n`

function temporaryFolder(context: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-attest-'))
  context.after(() => rmSync(folder, { recursive: true }))
  return (name: string, content: string | Uint8Array) => {
    writeFileSync(join(folder, name), content)
    return join(folder, name)
  }
}

/** Files of sound evidence whose root no maker of hardware has. */
function filesOf(context: TestContext) {
  const write = temporaryFolder(context)
  const { item, input } = snpEvidence()
  return {
    write,
    report: write('report.bin', item.content),
    collateral: write('collateral.json', JSON.stringify(formatCollateral(input.collateral))),
    policy: write('place.yaml', POLICY),
    at: ['--at', new Date(input.atMs).toISOString()],
    item,
    input,
  }
}

test('evidence that is sound but for its root is refused for its root alone', async (context) => {
  const { report, collateral, policy, at } = filesOf(context)
  const args = ['attest', 'verify', report, '--collateral', collateral, '--policy', policy, ...at]
  const told = await countersign(...args)
  assert.equal(told.code, 1, told.stderr)
  assert.match(told.stdout, /^refused /m)
  assert.match(told.stdout, /fail sev-snp\/chain {2}certificate\/wrong-chain: .*no pinned root/s)
  const { results, exitCode, format } = JSON.parse((await countersign(...args, '--json')).stdout)
  assert.deepEqual([format, exitCode], ['countersign-appraisals/v1', 1])
  const failed = results[0].appraisal.checks.filter(({ result }: { result: string }) => result === 'fail')
  assert.deepEqual(
    failed.map(({ name }: { name: string }) => name),
    ['sev-snp/chain'],
  )
})

test('a policy that names no code is bad usage, and so is one with a word that nobody knows', async (context) => {
  const { report, write } = filesOf(context)
  for (const [text, code] of [
    ['tee: sev-snp\n', 'place-policy/empty'],
    ['tee: sev-snp\nmeasurements: { mrtd: ["00"] }\n', 'place-policy/malformed'],
    [`${POLICY}deubg: true\n`, 'shape/unknown-field'],
  ] as const) {
    const told = await countersign('attest', 'verify', report, '--policy', write('other.yaml', text))
    assert.equal(told.code, 2)
    assert.match(told.stderr, new RegExp(`^${code}: `))
    assert.equal(told.stdout, '')
  }
})

test('several files: each has its own result, and the gravest decides', async (context) => {
  const { report, policy, write } = filesOf(context)
  const unknown = write('unknown.bin', 'neither this nor that')
  const told = await countersign('attest', 'verify', report, unknown, '--policy', policy, '--json')
  const { results } = JSON.parse(told.stdout)
  assert.equal(told.code, 2)
  // Without collateral nothing is shown, and nothing is shown to be false.
  assert.equal(results[0].appraisal.status, 'unproven')
  assert.equal(results[1].error.code, 'evidence/unsupported')
})

test('explain reads hexadecimal text and evidence files alike, and decides nothing', async (context) => {
  const { item, write } = filesOf(context)
  const hex = write('report.txt', `${Buffer.from(item.content).toString('hex')}\n`)
  const file = { profile: 'none', items: [item], nonce: new Uint8Array(0), beside: {} } as const
  const evidence = write('evidence.json', JSON.stringify(formatEvidence(file)))
  const [ofHex, ofFile] = await Promise.all([
    countersign('attest', 'explain', hex),
    countersign('attest', 'explain', evidence),
  ])
  assert.deepEqual([ofHex.code, ofFile.code], [0, 0], ofHex.stderr + ofFile.stderr)
  assert.match(ofHex.stdout, /pass sev-snp\/format/)
  assert.match(ofHex.stdout, /the collateral has no|not-checked/)
  const sameTime = (text: string) => text.replace(/as of \S+/, '')
  assert.equal(sameTime(ofHex.stdout), sameTime(ofFile.stdout))
})

test('a file says what is missing, and what to do about it', async (context) => {
  const { report, write, at } = filesOf(context)
  const told = await countersign('attest', 'explain', report)
  assert.match(told.stdout, /^next: .*"countersign attest\s+fetch"/ms)
  const expired = await countersign('attest', 'explain', write('nitro.cose', makeNitroDocument()), '--at', '2099-01-01')
  assert.doesNotMatch(expired.stdout, /^next: Not of today/m)
  const old = await countersign('attest', 'explain', report, ...at, '--collateral', write('empty.json', EMPTY))
  assert.doesNotMatch(old.stdout, /^next: /m)
  for (const [name, content, why] of [
    ['chain.pem', pemOf(CERTIFICATE), /certificates.*collateral/],
    ['events.json', '[{"imr":0}]', /event log/],
    ['cut.json', '{"quote":', /^json\/malformed/],
  ] as const) {
    const { code, stderr } = await countersign('attest', 'explain', write(name, content))
    assert.equal(code, 2)
    assert.match(stderr, why)
  }
})

test('evidence in any form is one evidence, with its certificates along or beside', async (context) => {
  const { item, input, write, policy, collateral, at } = filesOf(context)
  const hex = Buffer.from(item.content).toString('hex')
  const base64 = Buffer.from(item.content).toString('base64')
  const chain = input.collateral.items.filter(({ kind }) => kind === 'certificate').map(({ content }) => content)
  const cert_chain = chain.map((content) => Buffer.from(content).toString('base64'))
  const files = [
    write('report.hex', `0x${hex.toUpperCase()}\n`),
    write('report.b64', base64.replace(/.{76}/g, '$&\n')),
    write('report.json', JSON.stringify({ report: hex })),
    write('along.json', JSON.stringify({ attestation_report: base64, cert_chain })),
  ]
  const told = await countersign(
    'attest',
    'verify',
    ...files,
    '--policy',
    policy,
    '--collateral',
    collateral,
    ...at,
    '--json',
  )
  const { results } = JSON.parse(told.stdout)
  for (const { appraisal } of results) assert.match(appraisal.reason, /^sev-snp\/chain: .*no pinned root/)
  const alone = await countersign('attest', 'explain', files[3] ?? '', ...at)
  assert.match(alone.stdout, /fail sev-snp\/chain {2}certificate\/wrong-chain/)
})

test('a provider’s answer is read with what it says beside its evidence', async (context) => {
  const write = temporaryFolder(context)
  const intel_quote = `04000200810000000${'0'.repeat(2000)}0`
  const answer = {
    gateway_attestation: { intel_quote, signing_address: `0x${'ab'.repeat(20)}`, signing_algo: 'ecdsa' },
  }
  const file = write('answer.json', JSON.stringify(answer))
  const told = await countersign('attest', 'explain', file, '--profile', 'near-ai', '--json')
  const { profile, items } = JSON.parse(told.stdout)
  assert.deepEqual([profile, items[0].kind], ['near-ai', 'tdx'])
  const without = await countersign('attest', 'explain', file)
  assert.match(without.stderr, /^evidence\/unsupported: /)
  const packed = gzipSync(snpEvidence().item.content).toString('base64')
  const tinfoil = { format: 'https://tinfoil.sh/predicate/sev-snp-guest/v1', body: packed }
  const unpacked = await countersign('attest', 'explain', write('tinfoil.json', JSON.stringify(tinfoil)), '--json')
  const { profile: ofTinfoil, items: reports } = JSON.parse(unpacked.stdout)
  assert.deepEqual([ofTinfoil, reports[0].kind], ['none', 'sev-snp'])
})

test('fetch asks a mirror for what the report needs, keeps it, and names what it could not have', async (context) => {
  const { report, input, write } = filesOf(context)
  const certificates = input.collateral.items.filter(({ kind }) => kind === 'certificate').map(({ content }) => content)
  const asked: string[] = []
  const pem = certificates
    .slice(1)
    .map((der) => `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE-----\n`)
  const server = createServer((request, reply) => {
    asked.push(request.url ?? '')
    const path = request.url ?? ''
    if (path.endsWith('/cert_chain')) reply.end(pem.join(''))
    else if (path.endsWith('/crl')) reply.writeHead(404).end()
    else reply.end(certificates[0])
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  context.after(() => server.close())
  const mirror = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const out = write('fetched.json', '')
  const cache = join(out, '..', 'cache')
  const fetching = ['attest', 'fetch', report, '--out', out, '--kds', mirror, '--cache', cache]
  const told = await countersign(...fetching, '--json')
  assert.equal(told.code, 3, told.stderr)
  assert.equal(JSON.parse(told.stdout).items, 3)
  assert.match(told.stderr, /list of revoked certificates: .*404/)
  assert.match(asked.join('\n'), /^\/vcek\/v1\/Milan\/[0-9a-f]{128}\?blSPL=04&teeSPL=01&snpSPL=24&ucodeSPL=210$/m)
  const before = asked.length
  await countersign(...fetching)
  assert.deepEqual(asked.slice(before), ['/vcek/v1/Milan/crl'], 'what is current is not asked for again')
  const explained = await countersign('attest', 'explain', report, '--collateral', out)
  assert.match(explained.stdout, /fail sev-snp\/chain/)
})

test('hexadecimal text of any length is read as such', async (context) => {
  const { write } = filesOf(context)
  const told = await countersign('attest', 'explain', write('long.txt', 'ab'.repeat(9_000_000)))
  assert.equal(told.code, 2)
  assert.match(told.stderr, /^evidence\/unsupported: /)
})

test('a gateway that sends evidence without end is not read to the end', async (context) => {
  const { write } = filesOf(context)
  let sent = 0
  const server = createServer((_, reply) => {
    const chunk = Buffer.alloc(1024 * 1024, ' ')
    const go = () => {
      while (!reply.destroyed && sent < 256 * chunk.length) {
        sent += chunk.length
        if (!reply.write(chunk)) return void reply.once('drain', go)
      }
      reply.end()
    }
    go()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  context.after(() => server.close())
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const told = await countersign('attest', 'fetch', address, '--out', write('out.json', ''))
  assert.equal(told.code, 2)
  assert.match(told.stderr, /^bytes\/too-large: /)
  assert.ok(sent < 64 * 1024 * 1024, `${sent} bytes were sent`)
})

test('answers without a place are as they were, whatever became known', async (context) => {
  const write = temporaryFolder(context)
  const vector = JSON.parse(readFileSync(join(VECTORS, 'verdict', 'honest.json'), 'utf8'))
  const dossier = write('dossier.json', JSON.stringify(vector.dossier))
  const trust = write('trust.yaml', vector.trust)
  const told = await countersign('attest', 'reappraise', dossier, '--trust', trust, '--all')
  assert.equal(told.code, 0, told.stderr)
  assert.match(told.stdout, /before {2}unproven/)
  assert.match(told.stdout, /^0 of 1 changed$/m)
  const bad = await countersign('attest', 'reappraise', dossier, '--trust', trust, '--revocation', dossier)
  assert.equal(bad.code, 2)
})

test('a bare report of a real GPU, with its chain beside it', { skip: NO_REAL_DATA }, async () => {
  const report = join(REAL, 'nvidia', 'hopperAttestationReport.txt')
  const chain = join(REAL, 'nvidia', 'hopperCertChain.txt')
  const told = await countersign('attest', 'explain', report, '--collateral', chain)
  assert.match(told.stdout, /^nvidia-spdm +genuine, warning/m)
  assert.doesNotMatch(told.stdout, /^next: /m, 'no policy is for GPUs alone')
  const alone = await countersign('attest', 'explain', report)
  assert.equal(alone.code, 2)
  assert.match(alone.stderr, /^collateral\/missing: .*chain/)
})

test('a real quote with real collateral, under a policy that names it', { skip: NO_REAL_DATA }, async (context) => {
  const write = temporaryFolder(context)
  const quote = join(REAL, 'tdx', 'phala_v4_uptodate.bin')
  const collateral = ['--collateral', join(REAL, 'tdx', 'phala_b0c06f_2025-06-19.json')]
  const at = ['--at', '2025-06-25T00:00:00Z']
  const explained = await countersign('attest', 'explain', quote, ...collateral, ...at, '--json')
  const { mrtd, rtmr1, rtmr2 } = JSON.parse(explained.stdout).items[0].measurements
  const policyOf = (root: string) =>
    `tee: tdx\nmeasurements: { mrtd: [${root}], rtmr1: [${rtmr1}], rtmr2: [${rtmr2}] }\n`
  const verify = (policy: string) =>
    countersign('attest', 'verify', quote, ...collateral, ...at, '--policy', write('place.yaml', policy))
  const accepted = await verify(policyOf(mrtd))
  assert.equal(accepted.code, 0, accepted.stdout + accepted.stderr)
  assert.match(accepted.stdout, /^known-code +shown/m)
  const refused = await verify(policyOf('ab'.repeat(48)))
  assert.equal(refused.code, 1)
  assert.match(refused.stdout, /fail tdx\/measurements/)
})
