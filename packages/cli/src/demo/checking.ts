/** Checks dossiers as a stranger would: in a fresh process, with nothing but the files. */
import { spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { type Check, type ClaimRow, CountersignError, findRow, type Verdict } from '@countersign/verify'
import { countersignProgram } from './gateway-process.ts'

/** One file's part of the report that `countersign verify --json` prints. */
export interface Checked {
  readonly file: string
  readonly satisfaction: string
  readonly verdict: Verdict
}

/** Runs `countersign verify --json`; its report, whatever the exit code. @throws {CountersignError} `file/unreadable` */
export async function verifyInFreshProcess(
  files: readonly string[],
  more: readonly string[],
): Promise<readonly Checked[]> {
  const { output, complaints } = await run([countersignProgram(), 'verify', ...files, '--json', ...more])
  try {
    const { results } = JSON.parse(output) as { results: readonly (Checked | { file: string; error: unknown })[] }
    return results.map((result) => {
      if ('verdict' in result) return result
      throw new CountersignError('file/unreadable', `${result.file}: ${JSON.stringify(result.error)}`)
    })
  } catch (thrown) {
    if (thrown instanceof CountersignError) throw thrown
    const said = `${output}${complaints}`.slice(0, 500)
    throw new CountersignError('file/unreadable', `the verifying process gave no report: ${said}`)
  }
}

/** The row of the record, which everything rests on. */
export function recordOf({ verdict }: Checked): ClaimRow {
  return findRow(verdict, 'record')
}

/** The check that decided the record: the first that failed, else the first that something was missing for. */
export function decisiveCheck(checked: Checked): Check | undefined {
  const { checks } = recordOf(checked)
  return checks.find(({ result }) => result === 'fail') ?? checks.find(({ result }) => result === 'missing')
}

function run(args: readonly string[]): Promise<{ readonly output: string; readonly complaints: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    const [output, complaints] = [collect(child.stdout), collect(child.stderr)]
    child.once('error', reject)
    child.once('close', () => resolve({ output: output(), complaints: complaints() }))
  })
}

function collect(stream: Readable): () => string {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  return () => Buffer.concat(chunks).toString('utf8')
}
