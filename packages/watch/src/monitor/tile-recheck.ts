/** Looks again at tiles that were not what they should be. */
import { type Crypto, codeOf, parseTilePath, toHex } from '@countersign/verify'
import type { LogClient } from '../log-client/log-client.ts'
import type { Finding } from './finding.ts'
import { MAX_PROBLEMS } from './limits.ts'
import type { Observation } from './observation.ts'

/** Which of them are served as they should be by now. Never throws for anything that a log can do. */
export async function recheckTiles(
  crypto: Crypto,
  client: LogClient,
  findings: readonly Finding[],
  atMs: number,
): Promise<readonly Observation[]> {
  const fine: Observation[] = []
  const tiles = findings.filter(({ kind }) => kind === 'tile-differs' || kind === 'tile-withheld')
  for (const { kind, subject, expected } of tiles.slice(0, MAX_PROBLEMS)) {
    try {
      const tile = await client.fetchTile(parseTilePath(subject))
      if (toHex(crypto.sha256(tile)) === expected) fine.push({ kind: 'fine', finding: kind, subject, atMs })
    } catch (thrown) {
      if (codeOf(thrown) === undefined) throw thrown
    }
  }
  return fine
}
