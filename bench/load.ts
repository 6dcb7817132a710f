/** Load over plain sockets: keep-alive, one request at a time on each. Cheap to send. */
import { connect, type Socket } from 'node:net'
import { type Answer, ResponseReader } from './response-reader.ts'

/** How long a connection may take, and an answer may pause, before its server counts as hanging. */
const IDLE_LIMIT_MS = 15_000

/** One connection that sends the same request again and again. */
export class Connection {
  readonly #socket: Socket
  readonly #request: Buffer
  readonly #reader = new ResponseReader(() => performance.now())
  #settle: ((answer: Answer) => void) | undefined
  #fail: ((error: Error) => void) | undefined

  private constructor(socket: Socket, request: Buffer) {
    this.#socket = socket
    this.#request = request
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.on('close', () => this.#fail?.(new Error('the server closed the connection')))
    socket.on('timeout', () => this.#fail?.(new Error(`the server said nothing for ${IDLE_LIMIT_MS / 1000} s`)))
  }

  static open(
    port: number,
    path: string,
    body: Uint8Array,
    headers: { readonly [name: string]: string } = {},
  ): Promise<Connection> {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    const head = `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n${lines.join('')}content-length: ${body.length}\r\n\r\n`
    const request = Buffer.concat([Buffer.from(head), body])
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(new Connection(socket, request)))
      socket.setNoDelay(true)
      socket.setTimeout(IDLE_LIMIT_MS)
      socket.once('error', reject)
      socket.once('timeout', () => reject(new Error('the server does not accept connections')))
    })
  }

  get isBusy(): boolean {
    return this.#settle !== undefined
  }

  /** Sends the request; its status when the whole response is there. */
  async send(): Promise<number> {
    return (await this.ask()).status
  }

  /** Sends the request; the answer when it is whole. @throws {Error} when the server breaks off, or hangs */
  ask(): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#settle = resolve
      this.#fail = reject
      this.#socket.write(this.#request)
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  #receive(chunk: Buffer): void {
    const { answer, error } = this.#read(chunk)
    if (answer === undefined && error === undefined) return
    const [settle, fail] = [this.#settle, this.#fail]
    this.#settle = undefined
    this.#fail = undefined
    if (answer !== undefined) settle?.(answer)
    else fail?.(error as Error)
  }

  #read(chunk: Buffer): { answer: Answer | undefined; error: unknown } {
    try {
      return { answer: this.#reader.push(chunk), error: undefined }
    } catch (error) {
      this.#socket.destroy()
      return { answer: undefined, error }
    }
  }
}

/** Keeps every connection busy for a time; answers per second. */
export async function closedLoop(connections: readonly Connection[], durationMs: number): Promise<number> {
  const endMs = performance.now() + durationMs
  const startMs = performance.now()
  let answers = 0
  await Promise.all(
    connections.map(async (connection) => {
      while (performance.now() < endMs) {
        if ((await connection.send()) !== 200) throw new Error('the server refused a request')
        answers++
      }
    }),
  )
  return answers / ((performance.now() - startMs) / 1000)
}

/**
 * Sends at a fixed rate, whatever the answers do; milliseconds from when each was due to its answer. What is due is looked
 * at once a millisecond.
 */
export async function openLoop(
  connections: readonly Connection[],
  perSecond: number,
  durationMs: number,
): Promise<readonly number[]> {
  const startMs = performance.now()
  const total = Math.floor((perSecond * durationMs) / 1000)
  const latenciesMs: number[] = []
  const idle = [...connections]
  const due: number[] = []
  let sent = 0
  await new Promise<void>((resolve) => {
    const dispatch = () => {
      while (due.length > 0 && idle.length > 0) {
        // The one that lay idle longest: servers close connections on which nothing moves.
        const connection = idle.shift()
        const dueMs = due.shift()
        if (connection === undefined || dueMs === undefined) return
        void connection.send().then(() => {
          latenciesMs.push(performance.now() - dueMs)
          idle.push(connection)
          dispatch()
          if (latenciesMs.length === total) resolve()
        })
      }
    }
    const tick = () => {
      const nowMs = performance.now()
      const wanted = Math.min(total, Math.floor(((nowMs - startMs) * perSecond) / 1000))
      for (; sent < wanted; sent++) due.push(nowMs)
      dispatch()
      // Not in a tight loop: that would take one of the machine's cores from the server.
      if (sent < total) setTimeout(tick, 1)
    }
    tick()
  })
  return latenciesMs
}
