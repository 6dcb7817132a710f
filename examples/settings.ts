/** What the examples take from the environment. What goes wrong ends in a line that says what to do, not in a stack trace. */
import { existsSync, readFileSync } from 'node:fs'

export interface Settings {
  /** Where the gateway is: `GATEWAY`. */
  readonly gateway: string
  /** Text of a trust file, or the line of the log's key, from the file that `TRUST` names. */
  readonly trust: string
  readonly model: string
  readonly apiKey: string
}

/** Reads `GATEWAY`, `TRUST`, `MODEL` and `API_KEY`; ends the process with a line where one is missing, or on any later error. */
export function readSettings(defaultModel?: string): Settings {
  process.on('uncaughtException', (error) => end(error.message))
  const {
    GATEWAY = 'http://127.0.0.1:8787',
    TRUST = 'trust.yaml',
    MODEL = defaultModel,
    API_KEY = 'none',
  } = process.env
  if (!existsSync(TRUST)) {
    end(
      `there is no trust file ${TRUST}; name yours with TRUST, or make one: npx countersign log trust --out trust.yaml`,
    )
  }
  if (MODEL === undefined) end('name a model that your gateway answers with MODEL')
  return { gateway: GATEWAY, trust: readFileSync(TRUST, 'utf8'), model: MODEL, apiKey: API_KEY }
}

function end(message: string): never {
  console.error(message)
  process.exit(1)
}
