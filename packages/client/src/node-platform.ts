import { createNodeCrypto, startNodeSha256 } from '@countersign/verify/crypto/node'
import type { Platform } from './platform.ts'

/** The platform on `node:crypto`. */
export function createNodePlatform(): Platform {
  return { crypto: createNodeCrypto(), startSha256: startNodeSha256 }
}
