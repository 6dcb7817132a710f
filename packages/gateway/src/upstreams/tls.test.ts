import assert from 'node:assert/strict'
import { createHash, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { selfSignedCertificate } from '../mock-upstream/certificate.testing.ts'
import { startMockUpstream } from '../mock-upstream/mock-upstream.testing.ts'
import { assertFails, configFor, requestFor, textOf, withUpstream } from './upstreams.testing.ts'

function fingerprintOf(pem: string): string {
  return createHash('sha256').update(new X509Certificate(pem).raw).digest('hex')
}

test('says the certificate that the upstream showed, on every request of the connection', async () => {
  const tls = selfSignedCertificate()
  const mock = await startMockUpstream({ tls })
  try {
    await withUpstream(configFor(mock.url, { ca: tls.cert }), async (upstream) => {
      for (let i = 0; i < 3; i++) {
        const answer = await upstream.send(requestFor())
        assert.equal(answer.shown?.sha256, fingerprintOf(tls.cert))
        await textOf(answer)
      }
    })
    assert.ok(mock.connections < 3)
  } finally {
    await mock.close()
  }
})

test('a certificate that nobody vouches for is refused, whatever the environment says', async () => {
  const mock = await startMockUpstream({ tls: selfSignedCertificate() })
  const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED
  try {
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
    for (const ca of [undefined, selfSignedCertificate().cert]) {
      await withUpstream(configFor(mock.url, { ca }), (upstream) =>
        assertFails(upstream.send(requestFor()), 'upstream/unreachable', /SELF_SIGNED|SIGNATURE|VERIFY/),
      )
    }
    assert.equal(mock.requests.length, 0)
  } finally {
    if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
    else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before
    await mock.close()
  }
})

test('a certificate for another name is refused', async () => {
  const tls = selfSignedCertificate()
  const mock = await startMockUpstream({ tls })
  try {
    const config = configFor(`https://127.0.0.2:${mock.port}`, { ca: tls.cert })
    await withUpstream(config, (upstream) => assertFails(upstream.send(requestFor()), 'upstream/unreachable'))
  } finally {
    await mock.close()
  }
})
