/** What the roles cost that others run against an operator: one group of figures per role. */
import type { Benchmark } from './result.ts'
import { benchMonitor, MONITOR_GOALS, MONITOR_METHOD } from './watch-monitor.ts'
import { benchWitnesses } from './watch-witness.ts'

/** Each group measures one role, and says how. */
const GROUPS: readonly (() => Promise<Benchmark>)[] = [benchWitnesses, benchFollowing]

async function benchFollowing(): Promise<Benchmark> {
  return { method: MONITOR_METHOD, figures: await benchMonitor(false), goals: MONITOR_GOALS }
}

export async function benchWatch(): Promise<Benchmark> {
  const groups: Benchmark[] = []
  for (const bench of GROUPS) groups.push(await bench())
  return {
    method: groups.map(({ method }) => method).join('\n'),
    figures: Object.assign({}, ...groups.map(({ figures }) => figures)),
    goals: Object.assign({}, ...groups.map(({ goals }) => goals)),
  }
}
