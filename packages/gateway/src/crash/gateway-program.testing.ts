/**
 * A gateway in a process of its own, to be killed: `gateway-program DATA_FOLDER [UPSTREAM_URL [CHEATING_BUILD]]`. Says
 * `listening URL` or `refused CODE: MESSAGE`; closes when its standard input ends.
 */
import { codeOf } from '@countersign/verify'
import { loadAs } from './cheating-build.testing.ts'
import { crashConfig } from './crash-config.testing.ts'

async function main([dataRoot = '', upstreamUrl = '', build = '']: readonly string[]): Promise<void> {
  if (build !== '') loadAs(build)
  // Only now: what is loaded before is not changed.
  const { Gateway } = await import('../gateway.ts')
  const notices = { info: () => undefined, error: (message: string) => console.error(message) }
  const onHalt = () => process.exit(4)
  try {
    const config = crashConfig(dataRoot, upstreamUrl === '' ? undefined : upstreamUrl)
    const gateway = await Gateway.start({ config, notices, onHalt })
    console.log(`listening ${gateway.url}`)
    process.stdin.on('end', () => void gateway.close().then(() => process.exit(0)))
    process.stdin.resume()
  } catch (thrown) {
    console.log(`refused ${codeOf(thrown)}: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
    process.exit(3)
  }
}

await main(process.argv.slice(2))
