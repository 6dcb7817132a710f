/**
 * The mock upstream in a process of its own. Says `serving at URL`; ends upon SIGTERM. Options: `--port N`, `--record`
 * (nothing is recorded without it).
 */
import { parseArgs } from 'node:util'
import { startMockUpstream } from './mock-upstream.testing.ts'

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '0' }, record: { type: 'boolean' } } })
  const upstream = await startMockUpstream({ port: Number(values.port), isRecording: values.record === true })
  process.stdout.write(`serving at ${upstream.url}\n`)
  process.once('SIGTERM', () => void upstream.close().then(() => process.exit(0)))
}

await main()
