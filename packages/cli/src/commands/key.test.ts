import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type ApiKey, ApiKeyStore, apiKeysPath, type CreatedApiKey } from '@countersign/gateway'
import { startGateway } from '../demo/gateway-process.ts'
import { countersign } from '../run.testing.ts'

/** A data folder as far as the commands look at it. */
function dataFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-key-test-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'store'))
  return folder
}

test('a key is made, listed and revoked while the gateway has the file open', async (context) => {
  const data = dataFolder(context)
  const store = new ApiKeyStore(apiKeysPath(data))
  context.after(() => store.close())
  const terms = ['--deployment', 'credit', '--deployment', 'chat', '--right', 'infer', '--right', 'receipts']
  const limits = [
    '--requests-per-minute',
    '60',
    '--tokens-per-minute',
    '9000',
    '--budget',
    '25.00EUR',
    '--expires',
    '90d',
  ]
  const made = await countersign('key', 'create', '--name', 'Loan desk', ...terms, ...limits, '--data', data, '--json')
  assert.equal(made.code, 0, made.stderr)
  const { key, token } = JSON.parse(made.stdout) as CreatedApiKey
  assert.deepEqual(store.authenticate(token, Date.now()), key)
  const { id, createdAtMs, expiresAtMs, ...rest } = key
  assert.equal((expiresAtMs ?? 0) - createdAtMs, 90 * 86_400_000)
  assert.deepEqual(rest, {
    name: 'Loan desk',
    deployments: ['credit', 'chat'],
    rights: ['infer', 'receipts'],
    requestsPerMinute: 60,
    tokensPerMinute: 9000,
    monthlyBudget: { amountMicros: 25_000_000, currency: 'EUR' },
  })

  const listed = await countersign('key', 'list', '--data', data)
  assert.equal(listed.code, 0, listed.stderr)
  for (const shown of [id, 'Loan desk', 'credit,chat', '25.00 EUR', '60 requests, 9000 tokens']) {
    assert.ok(listed.stdout.includes(shown), shown)
  }

  const revoked = await countersign('key', 'revoke', id, '--data', data)
  assert.equal(revoked.code, 0, revoked.stderr)
  assert.throws(() => store.authenticate(token, Date.now() + 1000), { code: 'auth/revoked-key' })
  assert.match((await countersign('key', 'list', '--data', data)).stdout, /revoked/)
})

test('a token is shown where it is made, and nowhere else', async (context) => {
  const data = dataFolder(context)
  const made = await countersign('key', 'create', '--name', 'k', '--data', data)
  const [token = ''] = /csk_[A-Za-z0-9_-]{43}/.exec(made.stdout) ?? []
  assert.notEqual(token, '', made.stderr)
  assert.match(made.stdout, /not shown again/)
  const runs = await Promise.all([
    countersign('key', 'list', '--data', data),
    countersign('key', 'list', '--data', data, '--json'),
    countersign('key', 'revoke', token, '--data', data),
    countersign('usage', '--data', data),
  ])
  for (const { stdout, stderr } of runs) assert.equal(`${stdout}${stderr}`.includes(token.slice(4)), false)
  const path = apiKeysPath(data)
  for (const each of [path, `${path}-wal`].filter((file) => existsSync(file))) {
    assert.equal(readFileSync(each).includes(token.slice(4)), false)
  }
})

test('a key that says nothing else may infer everywhere, and do no more', async (context) => {
  const data = dataFolder(context)
  const made = await countersign('key', 'create', '--name', 'k', '--data', data, '--json')
  const { key } = JSON.parse(made.stdout) as CreatedApiKey
  const { id: _, createdAtMs: __, ...terms } = key
  assert.deepEqual(terms, { name: 'k', deployments: 'all', rights: ['infer'] })
})

const MISTAKES: readonly (readonly [string, readonly string[], RegExp])[] = [
  ['a right that there is not', ['--right', 'root'], /shape\/bad-value: .*infer, receipts/],
  ['an amount without a currency', ['--budget', '25'], /usage\/invalid: .*25\.00EUR/],
  ['a time that is none', ['--expires', 'soon'], /usage\/invalid: .*90d/],
  ['no requests', ['--requests-per-minute', '0'], /shape\/bad-value/],
  ['a number that is none', ['--tokens-per-minute', '1e3'], /usage\/invalid/],
  ['a name that moves the cursor', ['--name', 'a\u001b[2J'], /shape\/bad-value/],
]

test('mistakes are named, and make no key', async (context) => {
  const data = dataFolder(context)
  for (const [what, args, says] of MISTAKES) {
    const ran = await countersign('key', 'create', '--name', 'k', ...args, '--data', data)
    assert.equal(ran.code, 2, what)
    assert.match(ran.stderr, says)
  }
  const listed = await countersign('key', 'list', '--data', data, '--json')
  assert.deepEqual(JSON.parse(listed.stdout) as ApiKey[], [])
  assert.equal((await countersign('key', 'create', '--data', data)).code, 2, 'no name')
  const unknown = await countersign('key', 'revoke', 'key_0000000000000000', '--data', data)
  assert.equal(unknown.code, 2)
  assert.match(unknown.stderr, /request\/not-found/)
})

test('a folder that is not there is named, and not made', async (context) => {
  const folder = dataFolder(context)
  const nowhere = join(folder, 'nowhere')
  for (const args of [['create', '--name', 'k'], ['list'], ['revoke', 'key_0']]) {
    for (const data of [nowhere, join(folder, 'store')]) {
      const ran = await countersign('key', ...args, '--data', data)
      assert.equal(ran.code, 2)
      assert.match(ran.stderr, /usage\/invalid: .*--data/)
    }
  }
  assert.equal(existsSync(nowhere), false)
  assert.equal(existsSync(join(folder, 'store', 'store')), false)
})

test('keys and usage are there beside a running gateway, and after it', async (context) => {
  const data = join(dataFolder(context), 'data')
  const gateway = await startGateway(data)
  try {
    const made = await countersign('key', 'create', '--name', 'k', '--data', data)
    assert.equal(made.code, 0, made.stderr)
    const usage = await countersign('usage', '--data', data)
    assert.equal(usage.code, 0, usage.stderr)
  } finally {
    await gateway.stop()
  }
  const listed = await countersign('key', 'list', '--data', data, '--json')
  assert.deepEqual(
    (JSON.parse(listed.stdout) as ApiKey[]).map(({ name }) => name),
    ['k'],
  )
})
