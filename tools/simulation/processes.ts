/** Processes of the real command: started, waited for, and ended, each by its own handle. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** Longest that a process may take to say that it is ready, and to end when it is asked to. Then it is killed. */
const READY_LIMIT_MS = 60_000
const STOP_LIMIT_MS = 20_000

export interface ProcessOptions {
  /** Working folder. */
  readonly folder: string
  /** Arguments of Node itself, before the program. */
  readonly node?: readonly string[]
  /** Longest that it may run. */
  readonly limitMs: number
}

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  /** What it said so far. */
  output(): Pick<Ended, 'stdout' | 'stderr'>
  /** The first match in either output. @throws {Error} when the process ends before, or says nothing of the kind in time */
  said(pattern: RegExp): Promise<RegExpExecArray>
  /** Resolves when it ended by itself, or was ended. */
  readonly ended: Promise<Ended>
  /** Asks it to end, and kills it when it does not. */
  stop(): Promise<Ended>
}

/** Every process of one simulation, so that none outlives it. */
export class Processes {
  readonly #running = new Set<Running>()

  /** Starts `countersign`. */
  start(args: readonly string[], options: ProcessOptions): Running {
    // What changes a module as it is loaded finds it only where modules are files of their own.
    const start = options.node === undefined || options.node.length === 0 ? 'bin/countersign.js' : 'dist/main.js'
    const program = fileURLToPath(new URL(`../../packages/cli/${start}`, import.meta.url))
    return this.startNode([...(options.node ?? []), program, ...args], options)
  }

  /** Starts any program of Node. */
  startNode(args: readonly string[], options: ProcessOptions): Running {
    const running = startProcess(args, options)
    this.#running.add(running)
    void running.ended.finally(() => this.#running.delete(running))
    return running
  }

  /** Runs `countersign` to its end. */
  run(args: readonly string[], options: ProcessOptions): Promise<Ended> {
    return this.start(args, options).ended
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#running].map((each) => each.stop()))
  }
}

function startProcess(args: readonly string[], { folder, limitMs }: ProcessOptions): Running {
  // Nothing of this process's own environment, but for where programs are.
  const env = { PATH: process.env.PATH }
  const child = spawn(process.execPath, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = new Promise<Ended>((resolve, reject) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), limitMs)
    child.once('error', reject)
    child.once('close', (code) => {
      clearTimeout(timer)
      resolve({ code, stdout, stderr })
    })
  })
  const output = () => ({ stdout, stderr })
  return { output, ended, said: (pattern) => untilSaid(child, output, pattern), stop: () => stop(child, ended) }
}

function untilSaid(child: ChildProcess, output: Running['output'], pattern: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    const find = () => {
      const { stdout, stderr } = output()
      return pattern.exec(stdout) ?? pattern.exec(stderr)
    }
    const settle = (why: string) => {
      const found = find()
      if (found === null && why === '') return
      clearTimeout(timer)
      child.stdout?.off('data', look)
      child.stderr?.off('data', look)
      child.off('close', end)
      if (found !== null) resolve(found)
      else reject(new Error(`${why}: ${pattern} was never said\n${output().stdout}\n${output().stderr}`))
    }
    const look = () => settle('')
    const end = () => settle('the process ended')
    const timer = setTimeout(() => settle(`nothing for ${READY_LIMIT_MS / 1000} s`), READY_LIMIT_MS)
    child.stdout?.on('data', look)
    child.stderr?.on('data', look)
    child.once('close', end)
    look()
  })
}

function stop(child: ChildProcess, ended: Promise<Ended>): Promise<Ended> {
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS)
  return ended.finally(() => clearTimeout(timer))
}
