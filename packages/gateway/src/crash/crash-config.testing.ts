/** The configuration of the gateways that are crashed: the embedded example, at a free port. */
import { fileURLToPath } from 'node:url'
import { type Config, DEFAULT_LIMITS, exampleConfig } from '../config/config.ts'

const CREDIT_MODEL = fileURLToPath(new URL('../../../../models/credit/credit.onnx', import.meta.url))

export function crashConfig(dataRoot: string): Config {
  return {
    ...exampleConfig(dataRoot, CREDIT_MODEL),
    listen: { host: '127.0.0.1', port: 0 },
    limits: { ...DEFAULT_LIMITS, logRequestsPerSecond: 10_000, logRequestsBurst: 10_000 },
  }
}
