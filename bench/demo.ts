/** How long a newcomer waits for the demonstration, after the install. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Benchmark, percentile, round } from './result.ts'

const ROUNDS = 3

export async function benchDemo(): Promise<Benchmark> {
  const program = fileURLToPath(new URL('../packages/cli/bin/countersign.js', import.meta.url))
  const seconds: number[] = []
  for (let i = 0; i < ROUNDS; i++) {
    const out = mkdtempSync(join(tmpdir(), 'countersign-bench-demo-'))
    const startMs = performance.now()
    const { status } = spawnSync(process.execPath, [program, 'demo', '--out', out], { stdio: 'ignore' })
    seconds.push((performance.now() - startMs) / 1000)
    rmSync(out, { recursive: true, force: true })
    if (status !== 0) throw new Error(`the demonstration ended with ${status}`)
  }
  return {
    method: `countersign demo, as a whole process, from start to exit; the slowest of ${ROUNDS} runs.`,
    figures: { demo_seconds: round(percentile(seconds, 1)) },
    goals: { demo_seconds: { max: 30 } },
  }
}
