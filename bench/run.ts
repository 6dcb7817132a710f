/** `npm run bench -- <name>`: runs one benchmark, or all. */
import { type Benchmark, publish } from './result.ts'

const BENCHMARKS: { readonly [name: string]: () => Promise<() => Promise<Benchmark>> } = {
  log: async () => (await import('./log.ts')).benchLog,
  infer: async () => (await import('./infer.ts')).benchInfer,
  verify: async () => (await import('./verify.ts')).benchVerify,
  demo: async () => (await import('./demo.ts')).benchDemo,
}

const USAGE = `Usage: npm run bench -- <name>…

Names: ${Object.keys(BENCHMARKS).join(', ')}, all
Each writes bench/results/<name>.json. Exit codes: 0 all goals reached; 1 some fall short; 2 bad usage.`

async function main(names: readonly string[]): Promise<number> {
  const wanted = names.includes('all') ? Object.keys(BENCHMARKS) : names
  if (wanted.length === 0 || wanted.some((name) => BENCHMARKS[name] === undefined)) {
    process.stdout.write(`${USAGE}\n`)
    return 2
  }
  let isGood = true
  for (const name of wanted) {
    const load = BENCHMARKS[name]
    if (load === undefined) continue
    const run = await load()
    if (!publish(name, await run())) isGood = false
  }
  return isGood ? 0 : 1
}

process.exitCode = await main(process.argv.slice(2))
