/** The configuration of the gateways that are crashed: the embedded example, at a free port. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import {
  type Config,
  DEFAULT_BREAKER,
  DEFAULT_CONCURRENCY,
  DEFAULT_LIMITS,
  DEFAULT_TARGET,
  DEFAULT_TIMEOUTS,
  exampleConfig,
} from '../config/config.ts'

const CREDIT_MODEL = fileURLToPath(new URL('../../../../models/credit/credit.onnx', import.meta.url))

/** Answers above this are not held: small, so that some of the load's are not. */
const HELD_BYTES = 16 * 1024

/** With an upstream, all models of other names are its. */
export function crashConfig(dataRoot: string, upstreamUrl: string | undefined): Config {
  const example = exampleConfig(dataRoot, CREDIT_MODEL)
  const config: Config = {
    ...example,
    listen: { host: '127.0.0.1', port: 0 },
    limits: { ...DEFAULT_LIMITS, heldBytes: HELD_BYTES, logRequestsPerSecond: 10_000, logRequestsBurst: 10_000 },
  }
  const witnessed = withWitnesses(config, process.env)
  return upstreamUrl === undefined ? witnessed : withUpstream(witnessed, upstreamUrl)
}

/** With the file of a policy, all deployments need its group `all`. */
function withWitnesses(config: Config, { COUNTERSIGN_CRASH_POLICY: policyFile }: NodeJS.ProcessEnv): Config {
  if (policyFile === undefined) return config
  const quorum = { name: 'all', unmetAfterSeconds: 60, whenUnmet: 'flag' } as const
  return {
    ...config,
    witnesses: { policyFile, policy: readFileSync(policyFile, 'utf8'), askMs: 1000 },
    deployments: config.deployments.map((each) => ({ ...each, quorum })),
  }
}

function withUpstream(config: Config, upstreamUrl: string): Config {
  const relays = config.deployments.map((each) => ({
    ...each,
    name: 'mock',
    model: undefined,
    prices: [],
    route: [{ upstream: 'mock', ...DEFAULT_TARGET }],
    answersTo: ['mock-*'],
  }))
  return {
    ...config,
    upstreams: [
      {
        name: 'mock',
        kind: 'openai',
        baseUrl: `${upstreamUrl}/v1`,
        credential: 'none',
        credentialHeader: undefined,
        query: [],
        headers: [],
        caFile: undefined,
        timeouts: DEFAULT_TIMEOUTS,
        concurrency: DEFAULT_CONCURRENCY,
        breaker: DEFAULT_BREAKER,
        place: undefined,
      },
    ],
    deployments: [...config.deployments, ...relays],
  }
}
