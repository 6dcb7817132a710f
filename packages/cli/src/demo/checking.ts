/** Checks dossiers as a stranger would: in a fresh process, with nothing but the files. */
import { spawn } from 'node:child_process'
import { CountersignError, findRow, type Verdict } from '@countersign/verify'
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
  const output = await run([countersignProgram(), 'verify', ...files, '--json', ...more])
  try {
    const { results } = JSON.parse(output) as { results: readonly (Checked | { file: string; error: unknown })[] }
    return results.map((result) => {
      if ('verdict' in result) return result
      throw new CountersignError('file/unreadable', `${result.file}: ${JSON.stringify(result.error)}`)
    })
  } catch (thrown) {
    if (thrown instanceof CountersignError) throw thrown
    throw new CountersignError('file/unreadable', `the verifying process gave no report: ${output.slice(0, 500)}`)
  }
}

/** The first check of the record that failed, by name. */
export function firstFailure({ verdict }: Checked): string | undefined {
  return findRow(verdict, 'record').checks.find((check) => check.result === 'fail')?.name
}

function run(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    const chunks: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.once('error', reject)
    child.once('close', () => resolve(Buffer.concat(chunks).toString('utf8')))
  })
}
