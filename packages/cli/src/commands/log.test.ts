import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { exampleConfig, Gateway } from '@countersign/gateway'
import { formatNoteKey, NOTE_COSIGNATURE, noteKey, parseTrustFile, utf8 } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { bundledModels } from '../files.ts'
import { countersign } from '../run.testing.ts'

const crypto = createNodeCrypto()
const folder = mkdtempSync(join(tmpdir(), 'countersign-log-test-'))
const data = join(folder, 'data')

const witnesses = [1, 2, 3].map((i) => {
  const key = noteKey(crypto, `w${i}.example.org`, NOTE_COSIGNATURE, new Uint8Array(32).fill(i))
  return `witness w${i} ${formatNoteKey(key)} https://w${i}.example.org\n`
})

/** The path of a file with such a policy. */
function policyFile(name: string, end = ''): string {
  const path = join(folder, name)
  writeFileSync(path, `# three witnesses\n${witnesses.join('')}\ngroup two 2 w1 w2 w3\n${end}`)
  return path
}

function trust(...options: readonly string[]) {
  return countersign('log', 'trust', '--data', data, '--name', 'Example Bank', ...options)
}

before(async () => {
  const config = exampleConfig(data, join(bundledModels(), 'credit', 'credit.onnx'))
  const notices = { info: () => undefined, error: () => undefined }
  const gateway = await Gateway.start({ config: { ...config, listen: { host: '127.0.0.1', port: 0 } }, notices })
  await gateway.close()
})

after(() => rmSync(folder, { recursive: true, force: true }))

test('log trust prints a policy without witnesses, which says so', async () => {
  const { code, stdout } = await trust()
  assert.equal(code, 0)
  const { policy } = parseTrustFile(crypto, utf8(stdout))
  assert.deepEqual([policy.logs.length, policy.witnesses.length, policy.quorum], [1, 0, 'none'])
})

test('log trust prints the witnesses of a policy, and the quorum that is asked for or stands there', async () => {
  for (const options of [
    ['--policy', policyFile('plain.policy'), '--quorum', 'two'],
    ['--policy', policyFile('whole.policy', 'quorum two\n')],
  ]) {
    const { code, stdout, stderr } = await trust(...options)
    assert.equal(code, 0, stderr)
    const { policy } = parseTrustFile(crypto, utf8(stdout))
    assert.equal(policy.quorum, 'two')
    assert.deepEqual(
      policy.witnesses.map(({ name, url }) => [name, url]),
      ['w1', 'w2', 'w3'].map((name) => [name, `https://${name}.example.org`]),
    )
    assert.equal(policy.logs.length, 1)
  }
})

test('log trust says what is missing', async () => {
  const plain = policyFile('plain.policy')
  for (const { options, says } of [
    { options: ['--policy', plain], says: /--quorum: say which witness or group .*there are: w1, w2, w3, two/ },
    { options: ['--policy', plain, '--quorum', 'four'], says: /--quorum: say which/ },
    { options: ['--quorum', 'two'], says: /pass --policy with it/ },
    { options: ['--policy', join(folder, 'nowhere')], says: /file\/unreadable/ },
    { options: ['--policy', policyFile('bad.policy', 'log x\n')], says: /policy\/malformed/ },
  ]) {
    const { code, stderr } = await trust(...options)
    assert.equal(code, 2, stderr)
    assert.match(stderr, says)
  }
})
