/** `npm run bench -- <name>`: runs one benchmark, or all. */
import { type Benchmark, printResult, writeResult } from './result.ts'

/** `isQuick`: a few rounds, to see whether it works. Its figures mean nothing. */
type Run = (isQuick: boolean) => Promise<Benchmark>

const BENCHMARKS: { readonly [name: string]: () => Promise<Run> } = {
  log: async () => (await import('./log.ts')).benchLog,
  infer: async () => (await import('./infer.ts')).benchInfer,
  gateway: async () => (await import('./gateway.ts')).benchGateway,
  verify: async () => (await import('./verify.ts')).benchVerify,
  watch: async () => (await import('./watch.ts')).benchWatch,
  demo: async () => (await import('./demo.ts')).benchDemo,
  attestation: async () => (await import('./attestation.ts')).benchAttestation,
}

/** Those that have a short form. */
const QUICK = ['gateway', 'attestation']

const USAGE = `Usage: npm run bench -- <name>… [--quick]

Names: ${Object.keys(BENCHMARKS).join(', ')}, all
Each writes bench/results/<name>.json. --quick, of ${QUICK.join(' and ')}: a few rounds, and nothing is written. Exit codes: 0 all goals reached; 1 some fall short; 2 bad usage.`

async function main(args: readonly string[]): Promise<number> {
  const isQuick = args.includes('--quick')
  const names = args.filter((each) => each !== '--quick')
  const wanted = names.includes('all') ? Object.keys(BENCHMARKS) : names
  if (wanted.length === 0 || wanted.some((name) => !isRunnable(name, isQuick))) {
    process.stdout.write(`${USAGE}\n`)
    return 2
  }
  let isGood = true
  for (const name of wanted) {
    const load = BENCHMARKS[name]
    if (load === undefined) continue
    const run = await load()
    const result = await run(isQuick)
    if (!isQuick) writeResult(name, result)
    if (!printResult(name, result)) isGood = false
  }
  return isGood ? 0 : 1
}

function isRunnable(name: string, isQuick: boolean): boolean {
  return Object.hasOwn(BENCHMARKS, name) && (!isQuick || QUICK.includes(name))
}

process.exitCode = await main(process.argv.slice(2))
