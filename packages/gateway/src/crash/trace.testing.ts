/** The trace that recorder.c writes: what a gateway did to its files, and what it sent, in one order. */

export type Operation =
  | { readonly kind: 'open'; readonly handle: string; readonly path: string; readonly emptied: boolean }
  | { readonly kind: 'write'; readonly handle: string; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly handle: string; readonly size: number }
  | { readonly kind: 'allocate'; readonly handle: string; readonly size: number }
  | { readonly kind: 'sync'; readonly handle: string }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
  | { readonly kind: 'unlink' | 'make-folder' | 'remove-folder' | 'sync-folder'; readonly path: string }
  /** The handle tells connections of one process apart. */
  | { readonly kind: 'sent'; readonly handle: string; readonly bytes: Uint8Array }

const HEADER_BYTES = 32

/** All operations; one that a kill cut short in the trace is left out. */
export function parseTrace(trace: Buffer): readonly Operation[] {
  const operations: Operation[] = []
  for (let at = 0; at + HEADER_BYTES <= trace.length; ) {
    const start = at + HEADER_BYTES
    const end = start + Number(trace.readBigUInt64LE(at + 24))
    if (end > trace.length) break
    const handle = trace.readBigInt64LE(at + 8).toString(16)
    const offset = Number(trace.readBigInt64LE(at + 16))
    operations.push(parseOperation(trace.readUInt8(at), handle, offset, trace.subarray(start, end)))
    at = end
  }
  return operations
}

function parseOperation(kind: number, handle: string, offset: number, bytes: Buffer): Operation {
  const path = bytes.toString('utf8')
  const [from = '', to = ''] = path.split('\0')
  switch (kind) {
    case 1:
      return { kind: 'open', handle, path, emptied: offset === 1 }
    case 2:
      return { kind: 'write', handle, offset, bytes }
    case 3:
      return { kind: 'truncate', handle, size: offset }
    case 4:
      return { kind: 'sync', handle }
    case 5:
      return { kind: 'rename', from, to }
    case 6:
      return { kind: 'unlink', path }
    case 7:
      return { kind: 'make-folder', path }
    case 8:
      return { kind: 'remove-folder', path }
    case 9:
      return { kind: 'sync-folder', path }
    case 10:
      return { kind: 'sent', handle, bytes }
    case 11:
      return { kind: 'allocate', handle, size: offset }
    default:
      throw new Error(`the trace has an operation of kind ${kind}`)
  }
}
