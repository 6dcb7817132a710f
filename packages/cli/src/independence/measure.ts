/** The independence report on files and gateways. */
import { decideIndependenceReport, type IndependenceReport, parseTrustFile } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { createProgress } from '../terminal.ts'
import { addGateway } from './gateway-source.ts'
import { filesOf, Gathering } from './sources.ts'

export interface Measured {
  readonly report: IndependenceReport
  /** How many files could not be read. */
  readonly unreadable: number
}

/**
 * Counts what dossiers, receipts of parties, folders of them and gateways show, and decides the report.
 *
 * @throws {CountersignError} `trust/malformed`, `file/unreadable`, `gateway/*`, `independence/too-many`, and what a gateway's
 *   checkpoint is refused with
 */
export async function measureIndependence(
  sources: readonly string[],
  trustFile: Uint8Array,
  atMs: number,
): Promise<Measured> {
  const crypto = createNodeCrypto()
  const gathering = new Gathering(crypto, parseTrustFile(crypto, trustFile), atMs)
  const isUrl = (source: string) => /^https?:\/\//.test(source)
  for (const url of sources.filter(isUrl)) await addGateway(gathering, url)
  const files = sources.filter((source) => !isUrl(source)).flatMap(filesOf)
  const progress = createProgress('counting', files.length)
  for (const [i, file] of files.entries()) {
    gathering.addFile(file)
    progress.update(i + 1)
  }
  const report = decideIndependenceReport(gathering.tally, gathering.declarations, gathering.atMs)
  return { report, unreadable: gathering.unreadable }
}
