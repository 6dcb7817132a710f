import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, readFileSync, symlinkSync, watch, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { temporaryFolder } from '../gateway.testing.ts'
import { MAX_COMMAND_BYTES, runForEvidence } from './evidence-command.ts'
import { gatherOwnEvidence } from './own-evidence.ts'
import { readCertificateTable, readTsmReport } from './tsm-report.ts'

const KEY = new Uint8Array(91).fill(4)
const NONCE = new Uint8Array(32).fill(9)
const BOUND = { reportData: new Uint8Array(64).fill(1), nonce: NONCE, statementKey: KEY }

interface FakeKernel {
  readonly path: string
  /** Entries that were made. */
  readonly entries: string[]
}

/**
 * A folder in which entries get the files that the kernel gives them. A report is the challenge, between marks. Real entries are
 * removed with one call, which a real folder with files in it refuses: so they stay here.
 */
function fakeKernel(
  context: TestContext,
  files: { readonly [name: string]: string | Uint8Array } = {},
  links: { readonly [name: string]: string } = {},
): FakeKernel {
  const path = temporaryFolder(context)
  const entries: string[] = []
  const watcher = watch(path, (_, name) => {
    const entry = join(path, String(name))
    if (name === null || entries.includes(name) || !existsSync(entry)) return
    entries.push(name)
    const given = { provider: 'sev_guest\n', generation: '1\n', auxblob: '', inblob: '', outblob: '', ...files }
    try {
      for (const [file, content] of Object.entries(given)) {
        if (links[file] === undefined) writeFileSync(join(entry, file), content)
        else symlinkSync(links[file], join(entry, file))
      }
    } catch {
      // It was removed again before the fake came to it.
    }
  })
  context.after(() => watcher.close())
  return { path, entries }
}

test('a report is asked for in an entry of its own, with exactly the bytes that are to be bound', async (context) => {
  const { path, entries } = fakeKernel(context, { outblob: 'a report' })
  // The fake makes its files a moment later than the kernel does.
  const report = await retried(() => readTsmReport(path, BOUND.reportData))
  assert.equal(report.provider, 'sev_guest')
  assert.equal(Buffer.from(report.report).toString(), 'a report')
  assert.deepEqual(report.certificates, [])
  const entry = entries.at(-1)
  assert.deepEqual(new Uint8Array(readFileSync(join(path, String(entry), 'inblob'))), BOUND.reportData)
  assert.match(String(entry), /^countersign-[0-9a-f]{16}$/)
})

/** A file that is another one each time it is read. */
const EVER_OTHER = '/proc/sys/kernel/random/uuid'

test('an entry that somebody else writes to meanwhile is asked again, and in the end given up', {
  skip: existsSync(EVER_OTHER) ? false : `there is no ${EVER_OTHER} here`,
}, async (context) => {
  const { path } = fakeKernel(context, { outblob: 'report' }, { generation: EVER_OTHER })
  await assert.rejects(
    retried(() => readTsmReport(path, BOUND.reportData)),
    { code: 'place/unreachable', message: /changed each time/ },
  )
})

test('without the kernel’s files there is no evidence, and the reason says so', async (context) => {
  await assert.rejects(readTsmReport(join(temporaryFolder(context), 'none'), BOUND.reportData), {
    code: 'place/unreachable',
    message: /no reports of a trusted guest here \(ENOENT\)/,
  })
  await assert.rejects(gatherOwnEvidence({ source: { kind: 'none' }, statementKey: KEY }, NONCE), {
    code: 'place/unreachable',
  })
})

test('evidence binds the statement key and the challenge, and brings the certificates along', async (context) => {
  const certificate = Uint8Array.of(0x30, 1, 2, 3)
  const { path, entries } = fakeKernel(context, { outblob: 'report', auxblob: tableOf(certificate) })
  const source = { kind: 'configfs-tsm', path } as const
  const evidence = await retried(() => gatherOwnEvidence({ source, statementKey: KEY }, NONCE))
  const expected = createHash('sha512').update(KEY).update(NONCE).digest()
  assert.deepEqual(readFileSync(join(path, String(entries.at(-1)), 'inblob')), expected)
  assert.deepEqual(
    { ...evidence, items: evidence.items.map(({ kind }) => kind) },
    {
      profile: 'countersign',
      items: ['sev-snp'],
      nonce: NONCE,
      beside: {
        signingKey: Buffer.from(KEY).toString('base64'),
        certificates: [Buffer.from(certificate).toString('base64')],
      },
    },
  )
})

test('hardware that is not known here is no evidence', async (context) => {
  const { path } = fakeKernel(context, { provider: 'arm_cca_guest', outblob: 'token' })
  const source = { kind: 'configfs-tsm', path } as const
  await assert.rejects(
    retried(() => gatherOwnEvidence({ source, statementKey: KEY }, NONCE)),
    { code: 'evidence/unsupported' },
  )
})

test('any table of certificates is read within its bounds', () => {
  assert.deepEqual(readCertificateTable(new Uint8Array()), [])
  for (let i = 0; i < 500; i++) {
    const table = new Uint8Array(randomBytes(i))
    for (const certificate of readCertificateTable(table)) assert.ok(certificate.length <= table.length)
  }
})

test('a command is given challenge and key, and its output is the evidence', async () => {
  const program = 'process.stdin.on("data", (line) => process.stdout.write("got " + line))'
  const output = await runForEvidence([process.execPath, '-e', program], BOUND)
  assert.equal(
    Buffer.from(output).toString(),
    `got {"nonce":"${'09'.repeat(32)}","publicKey":"${'04'.repeat(91)}","reportData":"${'01'.repeat(64)}"}\n`,
  )
})

test('a command that fails, hangs, writes too much or nothing, or is not there, gives no evidence', async () => {
  const cases = [
    ['process.exit(3)', /failed with status 3/],
    ['setInterval(() => {}, 1000)', /did not end in time/],
    [`process.stdout.write(Buffer.alloc(${MAX_COMMAND_BYTES + 1}))`, /wrote more than any evidence has/],
    ['', /wrote nothing/],
  ] as const
  for (const [program, message] of cases) {
    // Short for the one that hangs alone: a busy machine may take seconds to start a program.
    const timeoutMs = program.startsWith('setInterval') ? 1500 : 60_000
    await assert.rejects(runForEvidence([process.execPath, '-e', program], BOUND, { timeoutMs }), {
      code: 'place/unreachable',
      message,
    })
  }
  await assert.rejects(runForEvidence(['/nowhere/to/be/found'], BOUND), { message: /cannot be run \(ENOENT\)/ })
})

test('a command that is given up ends at once, and no secret of the environment is handed to it', async (context) => {
  const startMs = performance.now()
  const hanging = runForEvidence([process.execPath, '-e', 'setInterval(() => {}, 1000)'], BOUND, {
    signal: AbortSignal.timeout(100),
  })
  await assert.rejects(hanging, { code: 'place/unreachable', message: /was given up/ })
  assert.ok(performance.now() - startMs < 5000)
  process.env.COUNTERSIGN_PLANTED = 'secret'
  context.after(() => delete process.env.COUNTERSIGN_PLANTED)
  const output = await runForEvidence(
    [process.execPath, '-e', 'process.stdout.write(JSON.stringify(process.env))'],
    BOUND,
  )
  assert.doesNotMatch(Buffer.from(output).toString(), /secret/)
})

test('no shell looks at what the command is called with', async () => {
  const output = await runForEvidence(
    [process.execPath, '-e', 'process.stdout.write(process.argv.at(-1))', '--', '$(echo no); `id`'],
    BOUND,
  )
  assert.equal(Buffer.from(output).toString(), '$(echo no); `id`')
})

/** A table with one certificate in it. */
function tableOf(certificate: Uint8Array): Uint8Array {
  const table = Buffer.alloc(48 + certificate.length)
  table.fill(0xab, 0, 16)
  table.writeUInt32LE(48, 16)
  table.writeUInt32LE(certificate.length, 20)
  table.set(certificate, 48)
  return table
}

/** The fake is slower than the kernel: its files may not be there at the first try. */
async function retried<T>(run: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await run()
    } catch (thrown) {
      const isEarly = thrown instanceof Error && /ENOENT|empty/.test(thrown.message)
      if (!isEarly || tries > 40) throw thrown
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
  }
}
