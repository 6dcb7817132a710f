import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countersign } from './run.testing.ts'

test('the help of commands has examples and exit codes', async () => {
  const commands = ['', 'serve', 'infer', 'usage', 'key', 'log', 'config', 'engine']
  for (const command of commands) {
    const { code, stdout } = await countersign(...command.split(' ').filter((word) => word !== ''), '--help')
    assert.equal(code, 0, command)
    assert.match(stdout, /Examples:[\s\S]*Exit codes: 0 /, command)
  }
})
