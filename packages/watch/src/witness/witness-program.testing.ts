/**
 * A witness in a process of its own, to be killed: `witness-program CONFIG [CHEAT]`. Says `listening URL KEY` or
 * `refused CODE: MESSAGE`. A cheat is JSON of what {@link Cheat} says.
 */
import { register } from 'node:module'
import { codeOf } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import type { Cheat } from './cheating-loader.testing.ts'

async function main([config = '', cheat = '']: readonly string[]): Promise<void> {
  if (cheat !== '') {
    register(new URL('./cheating-loader.testing.js', import.meta.url), { data: JSON.parse(cheat) as Cheat })
  }
  // Only now: what is loaded before is not changed.
  const { readWitnessConfigFile, startWitness } = await import('./witness.ts')
  try {
    const witness = await startWitness({
      config: readWitnessConfigFile(createNodeCrypto(), config),
      onHalt: () => setImmediate(() => process.exit(4)),
    })
    process.on('SIGTERM', () => void witness.close().then(() => process.exit(0)))
    console.log(`listening ${witness.url} ${witness.key}`)
  } catch (thrown) {
    console.log(`refused ${codeOf(thrown)}: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
    process.exit(3)
  }
}

await main(process.argv.slice(2))
