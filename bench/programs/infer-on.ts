/** The gateway as it is, with the bundled example. */
import { fileURLToPath } from 'node:url'
import { exampleConfig, Gateway } from '@countersign/gateway'

const config = exampleConfig(
  process.argv[2] ?? '',
  fileURLToPath(new URL('../../models/credit/credit.onnx', import.meta.url)),
)
const gateway = await Gateway.start({
  // The load comes from one address.
  config: {
    ...config,
    listen: { host: '127.0.0.1', port: 0 },
    limits: { ...config.limits, receiptRequestsPerSecond: 1_000_000, receiptRequestsBurst: 1_000_000 },
  },
  notices: { info: () => undefined, error: (message) => process.stderr.write(`${message}\n`) },
})
process.stdout.write(`serving at ${gateway.url}\n`)
process.once('SIGTERM', () => void gateway.close().then(() => process.exit(0)))
