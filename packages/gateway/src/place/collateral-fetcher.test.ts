import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { CONFIDENTIAL_SPACE_ISSUER, type CollateralNeed, NRAS_ISSUER } from '@countersign/verify'
import { createTestKey, issueCrl, pemOf, snpEvidence } from '@countersign/verify/testing'
import { temporaryFolder } from '../gateway.testing.ts'
import { MAKERS } from './collateral-addresses.ts'
import { createCollateralCache, MAX_CACHED_MS } from './collateral-cache.ts'
import { createCollateralFetcher } from './collateral-fetcher.ts'

const NOW_MS = Date.UTC(2026, 5, 15, 12)
const FMSPC = '90c06f000000'
const INTEL: CollateralNeed = { kind: 'intel-tcb', fmspc: FMSPC, ca: 'platform' }
const VCEK: CollateralNeed = {
  kind: 'amd-vcek',
  product: 'turin',
  chipId: 'c0c1c2c3c4c5c6c7',
  tcb: { fmc: 3, bootloader: 4, tee: 1, snp: 24, microcode: 210 },
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void

const { items } = snpEvidence({ product: 'turin' }).input.collateral
const [LEAF, ...ISSUERS] = items.filter(({ kind }) => kind === 'certificate').map(({ content }) => content)
const CRL = items.find(({ kind }) => kind === 'crl')?.content
const PEM = pemOf(...ISSUERS)

function json(value: unknown): Answer {
  return (_, response) => response.end(JSON.stringify(value))
}

/** What all makers serve, by path. */
function soundAnswers(): Map<string, Answer> {
  const chain = encodeURIComponent(PEM)
  const nextUpdate = new Date(NOW_MS + 3_600_000).toISOString()
  const signed = (name: string, header: string): Answer => {
    return (_, response) => {
      response.setHeader(header, chain)
      response.end(JSON.stringify({ [name]: { nextUpdate }, signature: '00' }))
    }
  }
  const bytes =
    (content: Uint8Array | undefined): Answer =>
    (_, response) =>
      response.end(content)
  const turin = '/vcek/v1/Turin'
  return new Map([
    [`/tdx/certification/v4/tcb?fmspc=${FMSPC}`, signed('tcbInfo', 'TCB-Info-Issuer-Chain')],
    ['/tdx/certification/v4/qe/identity', signed('enclaveIdentity', 'SGX-Enclave-Identity-Issuer-Chain')],
    [
      '/sgx/certification/v4/pckcrl?ca=platform&encoding=der',
      (_, response) => {
        response.setHeader('SGX-PCK-CRL-Issuer-Chain', chain)
        response.end(CRL)
      },
    ],
    ['/IntelSGXRootCA.der', bytes(CRL)],
    [`${turin}/c0c1c2c3c4c5c6c7?fmcSPL=03&blSPL=04&teeSPL=01&snpSPL=24&ucodeSPL=210`, bytes(LEAF)],
    [`${turin}/cert_chain`, bytes(Buffer.from(PEM))],
    [`${turin}/crl`, bytes(CRL)],
    ['/vlek/v1/Milan/cert_chain', bytes(Buffer.from(PEM))],
    ['/vlek/v1/Milan/crl', bytes(CRL)],
    ['/nvidia.json', json({ keys: [{ kid: 'nvidia' }] })],
    ['/google.json', json({ keys: [{ kid: 'google' }] })],
  ])
}

async function createStage(context: TestContext, changes: { readonly timeoutMs?: number } = {}) {
  const answers = soundAnswers()
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    const answer = answers.get(request.url ?? '')
    if (answer === undefined) response.writeHead(404).end()
    else answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  context.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const folder = join(temporaryFolder(context), 'collateral')
  const clock = { nowMs: NOW_MS }
  const addresses = {
    ...MAKERS,
    pcs: url,
    rootCrl: `${url}/IntelSGXRootCA.der`,
    kds: url,
    nvidia: `${url}/nvidia.json`,
    google: `${url}/google.json`,
  }
  const create = () =>
    createCollateralFetcher({
      addresses,
      cache: createCollateralCache(folder),
      nowMs: () => clock.nowMs,
      timeoutMs: changes.timeoutMs ?? 5000,
    })
  return { answers, asked, folder, clock, fetcher: create(), create }
}

test('everything that a TDX platform needs is fetched: texts, lists and who signed them', async (context) => {
  const { fetcher, asked } = await createStage(context)
  const { bundle, missing } = await fetcher.fetch([INTEL])
  assert.deepEqual(missing, [])
  assert.deepEqual(
    bundle.items.map(({ kind }) => kind),
    ['intel-tcb-info', 'certificate', 'certificate', 'intel-qe-identity', 'crl'],
  )
  assert.equal(asked.length, 4)
})

test('a chip’s certificate is asked for by its level, with its issuers and the list of revoked ones', async (context) => {
  const { fetcher } = await createStage(context)
  const { bundle, missing } = await fetcher.fetch([VCEK, { kind: 'amd-vlek', product: 'milan' }])
  assert.deepEqual(missing, [])
  assert.deepEqual(
    bundle.items.map(({ content }) => Buffer.from(content)),
    [LEAF, ...ISSUERS, CRL].map((content) => Buffer.from(content ?? [])),
  )
})

test('keys of tokens come from issuers that are known or configured, and from nobody else', async (context) => {
  const { fetcher, asked } = await createStage(context)
  const issuers = [NRAS_ISSUER, CONFIDENTIAL_SPACE_ISSUER, 'https://evil.example', 'http://127.0.0.1']
  const { bundle } = await fetcher.fetch(issuers.map((issuer) => ({ kind: 'jwks', issuer })))
  assert.deepEqual(
    bundle.items.map(({ kind, content }) => [kind, Buffer.from(content).toString()]),
    [
      ['jwks', '{"keys":[{"kid":"nvidia"}]}'],
      ['jwks', '{"keys":[{"kid":"google"}]}'],
    ],
  )
  assert.deepEqual(asked, ['/nvidia.json', '/google.json'])
})

test('what is current is asked for once, also after a restart; what is out of date is asked for again', async (context) => {
  const { fetcher, create, asked, clock, folder } = await createStage(context)
  await fetcher.fetch([INTEL, VCEK])
  assert.equal(asked.length, 7)
  const again = await create().fetch([INTEL, VCEK])
  assert.equal(asked.length, 7)
  assert.deepEqual(again.missing, [])
  // The texts of Intel hold for an hour, everything else for longer than a day.
  clock.nowMs += 3_600_000
  await fetcher.fetch([INTEL, VCEK])
  assert.deepEqual(asked.slice(7), [`/tdx/certification/v4/tcb?fmspc=${FMSPC}`, '/tdx/certification/v4/qe/identity'])
  clock.nowMs = NOW_MS + MAX_CACHED_MS
  await fetcher.fetch([VCEK])
  assert.equal(asked.length, 12)
  assert.deepEqual(
    new Set(readdirSync(folder).map((name) => statSync(join(folder, name)).mode & 0o777)),
    new Set([0o600]),
  )
  assert.equal(statSync(folder).mode & 0o777, 0o700)
})

test('a list that is out of date already is passed on and not kept', async (context) => {
  const { fetcher, answers, asked } = await createStage(context)
  answers.set('/IntelSGXRootCA.der', (_, response) => response.end(oldCrl()))
  await fetcher.fetch([INTEL])
  const { bundle } = await fetcher.fetch([INTEL])
  assert.ok(bundle.items.some(({ content }) => Buffer.compare(content, oldCrl()) === 0))
  assert.deepEqual(asked.slice(4), ['/IntelSGXRootCA.der'])
})

test('a spoilt cache is no cache', async (context) => {
  const { fetcher, asked, folder } = await createStage(context)
  await fetcher.fetch([VCEK])
  for (const [i, name] of readdirSync(folder).entries()) {
    const path = join(folder, name)
    writeFileSync(path, i === 0 ? 'not JSON' : readFileSync(path, 'utf8').replace('127.0.0.1', '127.0.0.2'))
  }
  const { missing } = await fetcher.fetch([VCEK])
  assert.deepEqual(missing, [])
  assert.equal(asked.length, 6)
})

const MISBEHAVIOUR: readonly (readonly [what: string, answer: Answer, why: RegExp])[] = [
  ['hangs', () => {}, /no answer in time/],
  ['never ends', (_, response) => void response.write('{'), /no answer in time/],
  ['is huge', (_, response) => void response.end(Buffer.alloc(8 * 1024 * 1024, 0x20)), /too large/],
  ['is of another type', (_, response) => void response.end('<html>'), /json|JSON|not/],
  ['has no date', json({ tcbInfo: {}, signature: '00' }), /no nextUpdate/],
  ['says nothing of who signed it', json({ tcbInfo: { nextUpdate: '2030-01-01T00:00:00Z' } }), /who signed/],
  ['is not there', (_, response) => void response.writeHead(404).end(), /answered 404/],
  ['is a redirect', (_, response) => void response.writeHead(302, { location: '/nvidia.json' }).end(), /answered 302/],
  ['breaks off', (request) => void request.socket.destroy(), /no answer/],
]

for (const [what, answer, why] of MISBEHAVIOUR) {
  test(`an answer that ${what} is missing, and the others are there`, async (context) => {
    const { fetcher, answers, asked } = await createStage(context, { timeoutMs: 1000 })
    answers.set(`/tdx/certification/v4/tcb?fmspc=${FMSPC}`, answer)
    const { bundle, missing } = await fetcher.fetch([INTEL])
    assert.equal(missing.length, 1)
    assert.match(missing[0] ?? '', why)
    assert.match(missing[0] ?? '', /^TCB information of Intel: /)
    assert.ok(bundle.items.some(({ kind }) => kind === 'intel-qe-identity'))
    assert.equal(asked.includes('/nvidia.json'), false)
  })
}

test('a chain that is no chain is missing', async (context) => {
  const { fetcher, answers } = await createStage(context)
  for (const text of [
    '',
    'words',
    `${PEM}words`,
    PEM.repeat(9),
    '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
  ]) {
    answers.set('/vcek/v1/Turin/cert_chain', (_, response) => response.end(text))
    const { missing } = await fetcher.fetch([VCEK])
    assert.match(missing.join(), /^the issuers of AMD’s certificates: /, text.slice(0, 40))
  }
})

test('a server that is asked too much is left alone for as long as it says', async (context) => {
  const { fetcher, answers, asked, clock } = await createStage(context)
  const path = '/vcek/v1/Turin/cert_chain'
  const sound = answers.get(path) as Answer
  answers.set(path, (_, response) => response.writeHead(429, { 'retry-after': '60' }).end())
  const first = await fetcher.fetch([VCEK])
  assert.equal(asked.length, 2)
  assert.match(first.missing.join('\n'), /answered 429\n.*left alone/)
  answers.set(path, sound)
  clock.nowMs += 59_999
  assert.equal((await fetcher.fetch([VCEK])).missing.length, 2)
  assert.equal(asked.length, 2)
  clock.nowMs += 1
  assert.deepEqual((await fetcher.fetch([VCEK])).missing, [])
})

test('a fetch that is given up ends at once', async (context) => {
  const { fetcher, answers } = await createStage(context)
  answers.set(`/tdx/certification/v4/tcb?fmspc=${FMSPC}`, () => {})
  const startMs = performance.now()
  const { missing } = await fetcher.fetch([INTEL], AbortSignal.timeout(200))
  assert.ok(performance.now() - startMs < 3000)
  assert.equal(missing.length, 4)
})

function oldCrl(): Uint8Array {
  return issueCrl({ issuer: 'old', signer: createTestKey('p384'), nextUpdateMs: NOW_MS - 1 })
}
