import assert from 'node:assert/strict'
import { createHash, X509Certificate } from 'node:crypto'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
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
        assert.equal(answer.tlsCertificate, fingerprintOf(tls.cert))
        await textOf(answer)
      }
    })
    assert.equal(mock.connections, 1)
  } finally {
    await mock.close()
  }
})

test('each request has its own connection’s certificate while the upstream changes it', async () => {
  const [old, fresh] = [selfSignedCertificate(), selfSignedCertificate()]
  const server = createServer(old, (request, response) => {
    request.resume().on('end', () => response.end(fingerprintOf(request.url === '/v1/a' ? old.cert : fresh.cert)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  try {
    await withUpstream(configFor(origin, { ca: `${old.cert}${fresh.cert}` }), async (upstream) => {
      const send = (path: string) => upstream.send(requestFor({ path }))
      const first = await send('/v1/a')
      server.setSecureContext(fresh)
      // The first connection is still taken: its answer is not read to its end.
      const second = await upstream.send(requestFor({ path: '/v1/b' }))
      assert.equal(first.tlsCertificate, await textOf(first))
      const isNew = second.tlsCertificate === fingerprintOf(fresh.cert)
      assert.ok(isNew || second.tlsCertificate === fingerprintOf(old.cert))
      await textOf(second)
      server.closeAllConnections()
      const third = await send('/v1/b').catch(() => send('/v1/b'))
      assert.equal(third.tlsCertificate, await textOf(third))
    })
  } finally {
    await new Promise((resolve) => {
      server.close(resolve)
      server.closeAllConnections()
    })
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
