/**
 * A gateway in a process of its own, to be killed. Says `listening URL` or `refused CODE: MESSAGE`; closes when its
 * standard input ends.
 */
import { codeOf } from '@countersign/verify'
import { Gateway } from '../gateway.ts'
import { crashConfig } from './crash-config.testing.ts'

async function main(dataRoot: string): Promise<void> {
  const notices = { info: () => undefined, error: (message: string) => console.error(message) }
  const onHalt = () => process.exit(4)
  try {
    const gateway = await Gateway.start({ config: crashConfig(dataRoot), notices, onHalt })
    console.log(`listening ${gateway.url}`)
    process.stdin.on('end', () => void gateway.close().then(() => process.exit(0)))
    process.stdin.resume()
  } catch (thrown) {
    console.log(`refused ${codeOf(thrown)}: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
    process.exit(3)
  }
}

await main(process.argv[2] ?? '')
