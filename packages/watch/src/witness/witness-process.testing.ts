/** Starts and ends witnesses in processes of their own. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Cheat } from './cheating-loader.testing.ts'

const PROGRAM = fileURLToPath(new URL('./witness-program.testing.js', import.meta.url))

export interface WitnessProcess {
  /** What it said first: `listening URL KEY`, or why it does not. */
  readonly said: string
  readonly url: string
  /** SIGKILL, at this very moment; resolves when the process is gone. */
  kill(): Promise<void>
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>
}

export interface WitnessProcessOptions {
  readonly cheat?: Cheat
  /** Largest file that it may write, in blocks of 512 bytes: beyond it, writes fail as on a full disk. */
  readonly maxFileBlocks?: number
}

export function startWitnessProcess(
  config: string,
  { cheat, maxFileBlocks }: WitnessProcessOptions = {},
): Promise<WitnessProcess> {
  const command = [process.execPath, PROGRAM, config, ...(cheat === undefined ? [] : [JSON.stringify(cheat)])]
  // A POSIX shell counts in blocks of 512 bytes.
  const limited = ['/bin/sh', '-c', `ulimit -f ${maxFileBlocks}; exec "$@"`, 'sh', ...command]
  const [program = '', ...args] = maxFileBlocks === undefined ? command : limited
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '', NODE_TEST_CONTEXT: '' },
  })
  const exited = new Promise<number | null>((resolve) => {
    child.once('close', resolve)
  })
  return new Promise((resolve) => {
    const say = (said: string) => {
      resolve({
        said,
        url: said.split(' ')[1] ?? '',
        async kill() {
          child.kill('SIGKILL')
          await exited
        },
        stop() {
          child.kill('SIGTERM')
          return exited
        },
      })
    }
    createInterface({ input: child.stdout }).once('line', say)
    void exited.then((code) => say(`ended with ${code}`))
  })
}
