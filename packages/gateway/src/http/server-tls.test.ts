import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type SecureVersion } from 'node:tls'
import { CountersignError } from '@countersign/verify'
import { type SelfSigned, selfSignedCertificate } from '../mock-upstream/certificate.testing.ts'
import { createServerOptions, reloadOnHangup } from './server-tls.ts'

const BOUNDED = { timeout: 15_000 }

function tlsFiles(context: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-tls-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  const files = { certificateFile: join(folder, 'certificate.pem'), keyFile: join(folder, 'key.pem') }
  const write = ({ cert, key }: SelfSigned) => {
    writeFileSync(files.certificateFile, cert)
    writeFileSync(files.keyFile, key, { mode: 0o600 })
  }
  return { folder, files, write }
}

async function startServer(context: TestContext, files: Parameters<typeof createServerOptions>[0]) {
  const server = createServer(createServerOptions(files), (_, response) => response.end('ok'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  context.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { server, port: (server.address() as AddressInfo).port }
}

/** The protocol of a connection that trusts `ca` alone. */
function protocolOf(port: number, ca: string, maxVersion: SecureVersion = 'TLSv1.3'): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', servername: 'localhost', ca, minVersion: 'TLSv1' as const, maxVersion }
    const socket = connect({ ...options, ciphers: 'DEFAULT@SECLEVEL=0' }, () => {
      resolve(socket.getProtocol())
      socket.end()
    })
    socket.on('error', reject)
  })
}

test('certificate and key from files; TLS 1.2 and 1.3, and nothing older', BOUNDED, async (context) => {
  const { files, write } = tlsFiles(context)
  const own = selfSignedCertificate()
  write(own)
  const { port } = await startServer(context, files)
  assert.equal(await protocolOf(port, own.cert), 'TLSv1.3')
  assert.equal(await protocolOf(port, own.cert, 'TLSv1.2'), 'TLSv1.2')
  await assert.rejects(protocolOf(port, own.cert, 'TLSv1.1'))
  await assert.rejects(protocolOf(port, selfSignedCertificate().cert))
})

test(
  'SIGHUP brings a new certificate to new connections; files that do not fit change nothing',
  BOUNDED,
  async (context) => {
    const { files, write } = tlsFiles(context)
    const [first, second] = [selfSignedCertificate(), selfSignedCertificate()]
    write(first)
    const { server, port } = await startServer(context, files)
    const infos: string[] = []
    const errors: string[] = []
    const notices = { info: (text: string) => void infos.push(text), error: (text: string) => void errors.push(text) }
    const stop = reloadOnHangup(server, files, notices)
    context.after(stop)
    const hangUp = async () => {
      const before = infos.length + errors.length
      process.kill(process.pid, 'SIGHUP')
      for (let i = 0; i < 500 && infos.length + errors.length === before; i++) await sleep(10)
    }

    write(second)
    await hangUp()
    assert.equal(await protocolOf(port, second.cert), 'TLSv1.3')
    await assert.rejects(protocolOf(port, first.cert))

    write({ cert: first.cert, key: second.key })
    await hangUp()
    writeFileSync(files.keyFile, 'planted secret', { mode: 0o600 })
    await hangUp()
    rmSync(files.certificateFile)
    await hangUp()
    assert.equal(await protocolOf(port, second.cert), 'TLSv1.3')
    assert.deepEqual(infos, ['tls: the certificate was read again'])
    assert.deepEqual(errors, [
      'tls: the key is not that of the first certificate; the certificate stays as it was',
      'tls: the file of the key holds none in PEM; the certificate stays as it was',
      'tls: cannot read the file of the certificate; the certificate stays as it was',
    ])
    const listeners = process.listenerCount('SIGHUP')
    stop()
    assert.equal(process.listenerCount('SIGHUP'), listeners - 1)
  },
)

test('a key that others can read is refused; its group may read it', BOUNDED, (context) => {
  const { files, write } = tlsFiles(context)
  write(selfSignedCertificate())
  for (const mode of [0o600, 0o400, 0o640, 0o440]) {
    chmodSync(files.keyFile, mode)
    assert.equal(createServerOptions(files).minVersion, 'TLSv1.2')
  }
  for (const mode of [0o644, 0o604, 0o660, 0o602, 0o666, 0o444]) {
    chmodSync(files.keyFile, mode)
    assert.throws(() => createServerOptions(files), { code: 'key/malformed' }, mode.toString(8))
  }
})

test('what is no certificate or key is refused, without its path or content', BOUNDED, (context) => {
  const { folder, files, write } = tlsFiles(context)
  const spoil = (file: 'certificateFile' | 'keyFile', content: string | undefined) => {
    write(selfSignedCertificate())
    if (content === undefined) rmSync(files[file])
    else writeFileSync(files[file], content)
    return (thrown: unknown) => {
      assert.ok(thrown instanceof CountersignError)
      assert.equal(thrown.code, content === undefined ? 'config/missing-file' : 'key/malformed')
      for (const hidden of [folder, 'planted']) assert.equal(thrown.message.includes(hidden), false, thrown.message)
      return true
    }
  }
  for (const file of ['certificateFile', 'keyFile'] as const) {
    for (const content of [
      undefined,
      '',
      'planted',
      `planted${'x'.repeat(300_000)}`,
      selfSignedCertificate().key.replace('A', '!'),
    ]) {
      const isExpected = spoil(file, content)
      assert.throws(() => createServerOptions(files), isExpected)
    }
  }
})
