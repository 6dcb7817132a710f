/** What the client needs of where it runs: `node:crypto` where there is one, noble in browsers. */
import type { Crypto, RunningSha256 } from '@countersign/verify'

export interface Platform {
  readonly crypto: Crypto
  startSha256(): RunningSha256
}
