import { createNobleCrypto, startNobleSha256 } from '@countersign/verify'
import type { Platform } from './platform.ts'

/** The platform in plain JavaScript. Decides every input as the one on `node:crypto` does; slower. */
export function createNoblePlatform(): Platform {
  return { crypto: createNobleCrypto(), startSha256: startNobleSha256 }
}
