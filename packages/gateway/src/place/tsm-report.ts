/** Evidence from Linux, by its files for trusted guests. @spec Linux Documentation/ABI/testing/configfs-tsm */
import { randomBytes } from 'node:crypto'
import { mkdir, open, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CountersignError } from '@countersign/verify'

/** What the kernel gave for one challenge. */
export interface TsmReport {
  /** Name of the kernel's driver. */
  readonly provider: string
  readonly report: Uint8Array
  /** Certificates that the host left beside it, DER; none where it left none. */
  readonly certificates: readonly Uint8Array[]
}

const MAX_BLOB_BYTES = 256 * 1024
const MAX_TEXT_BYTES = 256
/** Tries, when somebody else used the same entry meanwhile. */
const MAX_TRIES = 4
const TIMEOUT_MS = 30_000

const MAX_CERTIFICATES = 8
/** An entry of the certificate table: a GUID, an offset, a length. @spec AMD publication 56421, §4.1.8.1 */
const TABLE_ENTRY_BYTES = 24
const GUID_BYTES = 16

/**
 * Makes an entry of its own, asks with 64 bytes, and removes the entry again.
 *
 * @throws {CountersignError} `place/unreachable` where the kernel has no such files, or does not answer in time
 */
export async function readTsmReport(path: string, reportData: Uint8Array, signal?: AbortSignal): Promise<TsmReport> {
  const entry = join(path, `countersign-${randomBytes(8).toString('hex')}`)
  try {
    await mkdir(entry)
  } catch (thrown) {
    throw unreachable(`the kernel has no reports of a trusted guest here (${codeOf(thrown)})`)
  }
  const ending = AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), ...(signal === undefined ? [] : [signal])])
  const ended = new Promise<never>((_, reject) => {
    ending.addEventListener('abort', () => reject(unreachable('the kernel gave no report in time')), { once: true })
  })
  const reading = readEntry(entry, reportData)
  try {
    return await Promise.race([reading, ended])
  } catch (thrown) {
    throw thrown instanceof CountersignError ? thrown : unreachable(`the kernel gave no report (${codeOf(thrown)})`)
  } finally {
    ended.catch(() => undefined)
    // An entry in use cannot be removed: it goes when the read that hangs has ended.
    void reading.catch(() => undefined).then(() => rmdir(entry).catch(() => undefined))
  }
}

async function readEntry(entry: string, reportData: Uint8Array): Promise<TsmReport> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    await writeFile(join(entry, 'inblob'), reportData, { flag: 'r+' })
    const before = await readText(join(entry, 'generation'))
    const provider = await readText(join(entry, 'provider'))
    const report = await readBounded(join(entry, 'outblob'), MAX_BLOB_BYTES)
    const table = await readBounded(join(entry, 'auxblob'), MAX_BLOB_BYTES).catch(() => new Uint8Array())
    // The report may be for what somebody else wrote there meanwhile.
    if ((await readText(join(entry, 'generation'))) !== before) continue
    if (report.length === 0) throw unreachable('the kernel gave an empty report')
    return { provider, report, certificates: readCertificateTable(table) }
  }
  throw unreachable('the kernel’s entry changed each time while it was read')
}

/** Certificates of the table that the host of an SEV-SNP guest leaves. What does not fit is left out: nothing there is signed. */
export function readCertificateTable(table: Uint8Array): readonly Uint8Array[] {
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength)
  const certificates: Uint8Array[] = []
  for (
    let at = 0;
    at + TABLE_ENTRY_BYTES <= table.length && certificates.length < MAX_CERTIFICATES;
    at += TABLE_ENTRY_BYTES
  ) {
    if (table.subarray(at, at + GUID_BYTES).every((byte) => byte === 0)) break
    const start = view.getUint32(at + GUID_BYTES, true)
    const length = view.getUint32(at + GUID_BYTES + 4, true)
    // A certificate, and not a list of revoked ones or something else that hosts may put there.
    if (length > 0 && start + length <= table.length && table[start] === 0x30) {
      certificates.push(table.slice(start, start + length))
    }
  }
  return certificates
}

async function readText(path: string): Promise<string> {
  return Buffer.from(await readBounded(path, MAX_TEXT_BYTES))
    .toString('latin1')
    .trim()
}

/** Sizes that the kernel states for such files say nothing. */
async function readBounded(path: string, maxBytes: number): Promise<Uint8Array> {
  const file = await open(path, 'r')
  try {
    const bytes = Buffer.alloc(maxBytes + 1)
    let length = 0
    for (;;) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length, null)
      length += bytesRead
      if (length > maxBytes) throw unreachable('the kernel’s report is larger than any known')
      if (bytesRead === 0) return Uint8Array.from(bytes.subarray(0, length))
    }
  } finally {
    await file.close()
  }
}

function unreachable(why: string): CountersignError {
  return new CountersignError('place/unreachable', why)
}

function codeOf(thrown: unknown): string {
  const code = (thrown as { readonly code?: unknown } | null)?.code
  return typeof code === 'string' ? code : 'unknown reason'
}
