/** The gateway as it is, in front of an upstream: `relay-on.ts DATA_FOLDER UPSTREAM_URL`. */
import { fileURLToPath } from 'node:url'
import { exampleConfig, Gateway } from '@countersign/gateway'
import { DEFAULT_BREAKER, DEFAULT_TIMEOUTS } from '../../packages/gateway/dist/config/config.js'

const [dataRoot = '', upstreamUrl = ''] = process.argv.slice(2)
const config = exampleConfig(dataRoot, fileURLToPath(new URL('../../models/credit/credit.onnx', import.meta.url)))
const [example] = config.deployments
if (example === undefined) throw new Error('the example has a deployment')
const gateway = await Gateway.start({
  config: {
    ...config,
    listen: { host: '127.0.0.1', port: 0 },
    // The load comes from one address.
    limits: { ...config.limits, receiptRequestsPerSecond: 1_000_000, receiptRequestsBurst: 1_000_000 },
    upstreams: [
      {
        name: 'openai',
        kind: 'openai',
        baseUrl: `${upstreamUrl}/v1`,
        credential: 'none',
        credentialHeader: undefined,
        query: [],
        headers: [],
        caFile: undefined,
        timeouts: DEFAULT_TIMEOUTS,
        concurrency: 1024,
        breaker: DEFAULT_BREAKER,
        place: undefined,
      },
    ],
    deployments: [
      {
        ...example,
        name: 'bench',
        model: undefined,
        prices: [],
        route: [{ upstream: 'openai', weight: 1, rank: 0 }],
        answersTo: ['*'],
      },
    ],
  },
  notices: { info: () => undefined, error: (message) => process.stderr.write(`${message}\n`) },
})
process.stdout.write(`serving at ${gateway.url}\n`)
process.once('SIGTERM', () => void gateway.close().then(() => process.exit(0)))
