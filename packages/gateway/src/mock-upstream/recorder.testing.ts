/** What the mock upstream received and sent, byte for byte, within a bound of memory. */
import type { HeaderMap } from './answer.testing.ts'

/** How an answer ended: in full, by the mock's own hand, or because the client left. */
export type Outcome = 'ended' | 'reset' | 'cut' | 'client-left'

export interface RecordedAnswer {
  readonly status: number
  readonly headers: HeaderMap
  /** What was sent so far, without what HTTP puts around it. */
  readonly body: Buffer
  /** `undefined` while it is under way. */
  readonly outcome: Outcome | undefined
  readonly ended: Promise<Outcome>
}

export interface RecordedRequest {
  readonly method: string
  readonly path: string
  /** Names and values by turns, as they came. */
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
  readonly answer: RecordedAnswer
  /** The value of a header; the first of several. */
  header(name: string): string | undefined
}

/** One answer on its way into the record. */
export interface AnswerRecording {
  head(status: number, headers: HeaderMap): void
  write(bytes: Uint8Array): void
  end(outcome: Outcome): void
}

/** Beyond either bound the oldest requests are forgotten. */
const MAX_REQUESTS = 10_000
const MAX_BYTES = 256 * 1024 * 1024

interface Held {
  readonly request: RecordedRequest
  bytes: number
  isForgotten: boolean
}

export class Recorder {
  #held: Held[] = []
  #bytes = 0

  get requests(): readonly RecordedRequest[] {
    return this.#held.map(({ request }) => request)
  }

  clear(): void {
    while (this.#held.length > 0) this.#forgetOldest()
  }

  begin(method: string, path: string, rawHeaders: readonly string[], body: Buffer): AnswerRecording {
    const { answer, recording } = startAnswer((added) => this.#grow(held, added))
    const header = (name: string) => {
      const at = rawHeaders.findIndex((each, i) => i % 2 === 0 && each.toLowerCase() === name.toLowerCase())
      return at < 0 ? undefined : rawHeaders[at + 1]
    }
    const held: Held = { request: { method, path, rawHeaders, body, answer, header }, bytes: 0, isForgotten: false }
    this.#held.push(held)
    this.#grow(held, body.length)
    return recording
  }

  #grow(held: Held, added: number): void {
    if (held.isForgotten) return
    held.bytes += added
    this.#bytes += added
    while (this.#held.length > 1 && (this.#held.length > MAX_REQUESTS || this.#bytes > MAX_BYTES)) {
      this.#forgetOldest()
    }
  }

  #forgetOldest(): void {
    const oldest = this.#held.shift()
    if (oldest === undefined) return
    oldest.isForgotten = true
    this.#bytes -= oldest.bytes
  }
}

function startAnswer(grow: (added: number) => void) {
  const pieces: Uint8Array[] = []
  let status = 0
  let headers: HeaderMap = {}
  let outcome: Outcome | undefined
  let settle: (outcome: Outcome) => void = () => undefined
  const ended = new Promise<Outcome>((resolve) => {
    settle = resolve
  })
  const answer: RecordedAnswer = {
    get status() {
      return status
    },
    get headers() {
      return headers
    },
    get body() {
      return Buffer.concat(pieces)
    },
    get outcome() {
      return outcome
    },
    ended,
  }
  const recording: AnswerRecording = {
    head(newStatus, newHeaders) {
      status = newStatus
      headers = newHeaders
    },
    write(bytes) {
      pieces.push(bytes)
      grow(bytes.length)
    },
    end(newOutcome) {
      outcome = newOutcome
      settle(newOutcome)
    },
  }
  return { answer, recording }
}
