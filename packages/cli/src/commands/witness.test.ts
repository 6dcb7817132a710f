import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { parseNoteKey, parseTlogPolicy } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { countersignProgram } from '../demo/gateway-process.ts'
import { countersign } from '../run.testing.ts'

const crypto = createNodeCrypto()

const CONFIG = `format: countersign-witness/v1
name: witness.example.org/w1
listen: {port: 0}
logs:
  - key: sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8
    origin: go.sum database tree
`

function testFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-witness-command-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function start(context: TestContext, ...args: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, [countersignProgram(), 'witness', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  context.after(() => child.kill('SIGKILL'))
  return child
}

/** The lines of standard output up to one that `isLast` says is the last. */
function linesUntil(child: ChildProcess, isLast: (line: string) => boolean): Promise<readonly string[]> {
  const { stdout } = child
  return new Promise((resolve, reject) => {
    assert.ok(stdout)
    const lines: string[] = []
    createInterface({ input: stdout }).on('line', (line) => {
      lines.push(line)
      if (isLast(line)) resolve(lines)
    })
    child.once('exit', (code) => reject(new Error(`it ended with ${code} after ${lines.join('\n')}`)))
  })
}

test('a witness says where it listens and which line goes into a policy, and stops as told', async (t) => {
  const config = join(testFolder(t), 'witness.yaml')
  writeFileSync(config, CONFIG)
  const child = start(t, '--config', config)
  const lines = await linesUntil(child, (line) => line.startsWith('witness '))
  assert.match(lines.join('\n'), /is listening at http:\/\/127\.0\.0\.1:\d+\n[\s\S]*go\.sum database tree/)
  const [, , key = ''] = (lines.at(-1) ?? '').split(' ')
  assert.equal(parseNoteKey(crypto, key).type, 4)
  const log = 'log sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8'
  const policy = parseTlogPolicy(crypto, `${log}\n${lines.at(-1)}\nquorum witness.example.org/w1\n`)
  assert.equal(policy.witnesses.length, 1)
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  assert.equal(await ended, 0)
})

test('programs get the same as JSON; a second process on the state is refused', async (t) => {
  const config = join(testFolder(t), 'witness.yaml')
  writeFileSync(config, CONFIG)
  const [line = ''] = await linesUntil(start(t, '--config', config, '--json'), () => true)
  const said = JSON.parse(line) as { readonly [name: string]: unknown }
  assert.deepEqual(Object.keys(said), ['url', 'name', 'key', 'policyLine', 'data', 'origins'])
  assert.equal(said.policyLine, `witness ${said.name} ${said.key} ${said.url}`)
  const second = await countersign('witness', '--config', config)
  assert.equal(second.code, 2)
  assert.match(second.stderr, /^data\/locked: /)
})

test('an example configuration is written once, and is well-formed', async (t) => {
  const config = join(testFolder(t), 'witness.yaml')
  const written = await countersign('witness', '--init', '--config', config)
  assert.equal(written.code, 0, written.stderr)
  const text = readFileSync(config, 'utf8')
  const again = await countersign('witness', '--init', '--config', config)
  assert.deepEqual([again.code, readFileSync(config, 'utf8')], [2, text])
  writeFileSync(config, text.replace('port: 8797', 'port: 0'))
  const [line = ''] = await linesUntil(start(t, '--config', config, '--json'), () => true)
  assert.match(line, /"origins":\[\]/)
})

test('mistakes are named', async (t) => {
  const folder = testFolder(t)
  const config = join(folder, 'witness.yaml')
  writeFileSync(config, CONFIG.replace('port: 0', 'port: 0, host: 0.0.0.0'))
  for (const [args, says] of [
    [['--config', join(folder, 'none.yaml')], /^config\/missing-file: /],
    [['--config', config], /^config\/unsafe-listen: /],
    [['--config', config, '--allow-remote', '--log-level', 'loud'], /^usage\/invalid: --log-level/],
    [['--unknown'], /unknown option/],
  ] as const) {
    const ran = await countersign('witness', ...args)
    assert.equal(ran.code, 2, args.join(' '))
    assert.match(ran.stderr, says)
  }
  const help = await countersign('witness', '--help')
  assert.equal(help.code, 0)
  assert.match(help.stdout, /Examples:[\s\S]*Exit codes:/)
})
