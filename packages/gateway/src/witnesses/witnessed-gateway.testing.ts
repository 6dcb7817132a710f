/** A gateway with witnesses, for tests of the whole. */
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config, QuorumConfig } from '../config/config.ts'
import { startGateway, type TestGateway, temporaryFolder, testConfig } from '../gateway.testing.ts'
import type { GatewayOptions } from '../gateway.ts'
import { startWitnessDouble, type WitnessDouble } from './witness-double.testing.ts'

export interface WitnessedGateway extends TestGateway {
  readonly folder: string
  readonly config: Config
  readonly a: WitnessDouble
  readonly b: WitnessDouble
  readonly c: WitnessDouble
  /** Lines of a relying party's policy, but for the log's. */
  readonly policy: readonly string[]
}

/** Three witnesses `a`, `b`, `c`; a deployment `sum` that needs two of them, unless the changes say otherwise. */
export async function startWitnessed(
  context: TestContext,
  changes: Partial<QuorumConfig> & { readonly askMs?: number } = {},
  more: { readonly config?: Partial<Config>; readonly options?: Partial<GatewayOptions> } = {},
): Promise<WitnessedGateway> {
  const [a, b, c] = await Promise.all([
    startWitnessDouble(context, 'a'),
    startWitnessDouble(context, 'b'),
    startWitnessDouble(context, 'c'),
  ])
  const lines = [...[a, b, c].map(({ policyLine }) => policyLine), 'group two 2 a b c', 'group every all two']
  const { askMs = 1000, ...terms } = changes
  const quorum = { name: 'two', unmetAfterSeconds: 60, whenUnmet: 'flag', ...terms } as const
  const folder = temporaryFolder(context)
  const base = testConfig(folder, more.config)
  const config: Config = {
    ...base,
    witnesses: { policyFile: 'witnesses.policy', policy: `${lines.join('\n')}\n`, askMs },
    deployments: base.deployments.map((each) => ({ ...each, quorum })),
  }
  const started = await startGateway(context, config, more.options)
  return { ...started, folder, config, a, b, c, policy: [...lines, `quorum ${quorum.name}`] }
}

/** Waits for what takes some time, and no more than some seconds. */
export async function eventually(what: string, isThere: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 800; i++) {
    if (await isThere()) return
    await sleep(20)
  }
  throw new Error(`it does not come: ${what}`)
}
