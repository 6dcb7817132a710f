/** What a client remembers of a gateway: every answer that it got to the end, and every head that it was shown. */
/** An answer, fully received. */
export interface Answer {
  readonly request: Uint8Array
  readonly response: Uint8Array
  readonly receipt: string
  readonly secret: string
  /** The header, one line. */
  readonly promise: string
  /** The header: seed of the salts, base64url. */
  readonly salts: string
}

export interface Ledger {
  readonly answers: Answer[]
  /** Signed checkpoints, as shown. */
  readonly heads: Set<string>
  /** By receipt: once asked for, content may be gone; once confirmed, it must be. */
  readonly erasures: Map<string, 'asked' | 'confirmed'>
}

export function createLedger(): Ledger {
  return { answers: [], heads: new Set(), erasures: new Map() }
}

export const INFER_PATH = '/v2/models/credit/infer'

/** Columns of the credit model's one input. */
const FEATURES = 17

/** A request that the credit model answers; `salt` makes it different from others. */
export function creditRequest(salt: number): Uint8Array {
  const features = Array.from({ length: FEATURES }, (_, i) => (salt * (i + 3)) % 5)
  const input = { name: 'application', datatype: 'FP32', shape: [1, FEATURES], data: features }
  return Buffer.from(JSON.stringify({ id: `crash-${salt}`, inputs: [input] }))
}

/** Asks once; remembers the answer only when all of it arrived. False when the gateway was gone or refused. */
export async function ask(url: string, ledger: Ledger, salt: number): Promise<boolean> {
  const request = creditRequest(salt)
  try {
    const reply = await fetch(`${url}${INFER_PATH}`, { method: 'POST', body: request as Uint8Array<ArrayBuffer> })
    const response = new Uint8Array(await reply.arrayBuffer())
    if (reply.status !== 200) return false
    ledger.answers.push(answerOf(request, response, (name) => reply.headers.get(name) ?? ''))
    return true
  } catch {
    return false
  }
}

export function answerOf(request: Uint8Array, response: Uint8Array, header: (name: string) => string): Answer {
  return {
    request,
    response,
    receipt: header('countersign-receipt'),
    secret: header('countersign-secret'),
    promise: header('countersign-promise'),
    salts: header('countersign-salts'),
  }
}

/** Looks at the published checkpoint, as a witness would, and remembers it. */
export async function lookAtCheckpoint(url: string, ledger: Ledger): Promise<void> {
  try {
    const reply = await fetch(`${url}/log/checkpoint`)
    const note = await reply.text()
    if (reply.status === 200) ledger.heads.add(note)
  } catch {
    // The gateway was killed: nothing was shown.
  }
}
