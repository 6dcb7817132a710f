/** How long an appraisal of evidence takes, and how long other verifiers take for the same. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { importDcapCollateral } from '@countersign/verify'
import { oracleCollateral } from '../packages/verify/dist/attestation/tdx/oracle.testing.js'
import { tdxToTime } from '../packages/verify/dist/attestation/tdx/tdx-evidence.testing.js'
import { appraising, appraisingAgain, TIMED_KINDS } from './attestation-kinds.ts'
import { dcapQvl, dcapQvlWeb } from './dcap-qvl.ts'
import { type Benchmark, percentile, round } from './result.ts'

const ROUNDS = 15
const WARM_UP_ROUNDS = 3
const RUNS_PER_ROUND = 20

const METHOD = `One piece of evidence of each kind from a PKI of our own, with everything that its vendor's has, appraised ${RUNS_PER_ROUND} times in a round,
from bytes to result in one thread. Each appraisal begins with no key, certificate or list known; "repeat" has appraised the same
machine before. "dcap_qvl" is @phala/dcap-qvl 0.3.9 on the same quote and collateral, under the same root, by turns; "real" is a quote
of a real machine with Intel's collateral, where COUNTERSIGN_TEST_DATA names the folder, also for @phala/dcap-qvl-web 0.3.3, which
takes no other root than Intel's. It checks less than we do: no signature and no date of a revocation list. Medians of ${ROUNDS} rounds
after ${WARM_UP_ROUNDS} that warm up; each begins with another way.`

/** Figures by name, and what is run for each. */
type Ways = Map<string, { readonly run: () => void; readonly pieces: number }>

export async function benchAttestation(isQuick: boolean): Promise<Benchmark> {
  const ways: Ways = new Map()
  addTdx(ways)
  await addReal(ways)
  for (const { figure, pieces, build } of TIMED_KINDS) ways.set(figure, { run: build(), pieces })
  const times = measure(ways, isQuick ? { rounds: 1, warmUp: 1 } : { rounds: ROUNDS, warmUp: WARM_UP_ROUNDS })
  const ratio = (over: string, under: string) => {
    const [theirs, ours] = [times.get(over), times.get(under)]
    return theirs === undefined || ours === undefined ? null : round(theirs / ours)
  }
  const REAL = ['tdx_real_ms', 'tdx_real_dcap_qvl_ms', 'tdx_real_dcap_qvl_wasm_ms']
  return {
    method: METHOD,
    figures: {
      tdx_speedup_over_dcap_qvl: ratio('tdx_dcap_qvl_ms', 'tdx_ms'),
      tdx_real_speedup_over_dcap_qvl: ratio('tdx_real_dcap_qvl_ms', 'tdx_real_ms'),
      tdx_real_speedup_over_dcap_qvl_wasm: ratio('tdx_real_dcap_qvl_wasm_ms', 'tdx_real_ms'),
      ...Object.fromEntries(REAL.map((figure) => [figure, null])),
      ...Object.fromEntries([...times].map(([figure, ms]) => [figure, round(ms)])),
    },
    goals: {
      tdx_speedup_over_dcap_qvl: { min: 1.5 },
      tdx_repeat_ms: { max: 1 },
      ...Object.fromEntries(TIMED_KINDS.map(({ figure, maxMs }) => [figure, { max: maxMs }])),
    },
  }
}

function addTdx(ways: Ways): void {
  const built = tdxToTime()
  const { quote, input, certificates } = built
  const collateral = oracleCollateral(built, input.collateral)
  const verify = dcapQvl(certificates.root)
  ways.set('tdx_ms', { run: appraising(built), pieces: 1 })
  ways.set('tdx_dcap_qvl_ms', { run: () => verify(quote, collateral, input.atMs), pieces: 1 })
  ways.set('tdx_repeat_ms', { run: appraisingAgain(built), pieces: 1 })
}

/** A quote of a real machine, of June 2025. */
async function addReal(ways: Ways): Promise<void> {
  const folder = join(process.env.COUNTERSIGN_TEST_DATA ?? '', 'attestation', 'tdx')
  if (!existsSync(folder)) return
  const content = new Uint8Array(readFileSync(join(folder, 'phala_v4_uptodate.bin')))
  const file = readFileSync(join(folder, 'phala_b0c06f_2025-06-19.json'))
  const atMs = Date.UTC(2025, 5, 25)
  const { evidence, input } = tdxToTime()
  const { roots: _, ...pinned } = input
  const real = {
    evidence: { ...evidence, items: [{ kind: 'tdx' as const, content }] },
    input: { ...pinned, atMs, collateral: importDcapCollateral(new Uint8Array(file)), policy: undefined },
  }
  ways.set('tdx_real_ms', { run: appraising(real), pieces: 1 })
  const collateral = JSON.parse(file.toString()) as { readonly [name: string]: string }
  const [verify, verifyWeb] = [dcapQvl(), await dcapQvlWeb()]
  ways.set('tdx_real_dcap_qvl_ms', { run: () => verify(content, collateral, atMs), pieces: 1 })
  if (verifyWeb === undefined) return
  ways.set('tdx_real_dcap_qvl_wasm_ms', { run: () => verifyWeb(content, collateral, atMs), pieces: 1 })
}

/** Median milliseconds of each way, for one piece. */
function measure(ways: Ways, { rounds, warmUp }: { rounds: number; warmUp: number }): ReadonlyMap<string, number> {
  const names = [...ways.keys()]
  const samples = new Map<string, number[]>(names.map((name) => [name, []]))
  for (let i = -warmUp; i < rounds; i++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(turn + i + warmUp) % names.length] ?? ''
      const ms = time(ways.get(name))
      if (i >= 0) samples.get(name)?.push(ms)
    }
  }
  return new Map([...samples].map(([name, each]) => [name, percentile(each, 0.5)]))
}

function time(way: { readonly run: () => void; readonly pieces: number } | undefined): number {
  if (way === undefined) throw new Error('there is no such way')
  const startMs = performance.now()
  for (let i = 0; i < RUNS_PER_ROUND; i++) way.run()
  return (performance.now() - startMs) / RUNS_PER_ROUND / way.pieces
}
