/** What became known after an answer was given: collateral of today, and revocations. */
import {
  type CollateralBundle,
  FILE_LIMITS,
  openRevocation,
  parseBundle,
  parseJson,
  type Revocation,
  type Trust,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { readFrom } from '../named-file.ts'
import { requireTrust } from '../proof-files.ts'
import { readCollateralFiles } from './appraise-files.ts'

interface LaterFiles {
  readonly collateral?: readonly string[]
  readonly revocation?: readonly string[]
}

/** Read and opened; nothing where no file was named. */
export function readLaterWord(
  { collateral, revocation }: LaterFiles,
  trust: Trust | undefined,
): { readonly collateral?: CollateralBundle; readonly revocations?: readonly Revocation[] } {
  return {
    ...(collateral === undefined ? {} : { collateral: readCollateralFiles(collateral) }),
    ...(revocation === undefined
      ? {}
      : { revocations: revocation.map((file) => readRevocation(file, requireTrust(trust, '--revocation'))) }),
  }
}

function readRevocation(file: string, trust: Trust): Revocation {
  return readFrom(file, (content) =>
    openRevocation(createNodeCrypto(), trust, parseBundle(parseJson(content, FILE_LIMITS), 'revocation')),
  )
}
