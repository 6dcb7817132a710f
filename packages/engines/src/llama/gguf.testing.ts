/** Writes GGUF files, whole and broken. */

export type EntryValue =
  | { readonly type: 'text'; readonly value: string }
  | { readonly type: 'number'; readonly value: number }
  | { readonly type: 'texts'; readonly value: readonly string[] }

export interface GgufContent {
  readonly version?: number
  readonly entries: readonly (readonly [key: string, value: EntryValue])[]
  readonly tensors: readonly {
    readonly name: string
    readonly dimensions: readonly number[]
    readonly offset: number
  }[]
}

export const ENTRIES: GgufContent['entries'] = [
  ['general.architecture', { type: 'text', value: 'llama' }],
  ['llama.context_length', { type: 'number', value: 256 }],
  ['tokenizer.ggml.tokens', { type: 'texts', value: ['a', 'b', 'ab'] }],
]

export const TENSORS: GgufContent['tensors'] = [
  { name: 'token_embd.weight', dimensions: [8, 3], offset: 0 },
  { name: 'output_norm.weight', dimensions: [8], offset: 96 },
]

/** Magic, version and the two counts. */
const HEAD_START_BYTES = 24
const ALIGNMENT_BYTES = 32

/** The head of a file, without the tensors' bytes. */
export function writeGguf({ version = 3, entries, tensors }: GgufContent): Uint8Array {
  const parts = [Buffer.from('GGUF'), uint32(version), uint64(tensors.length), uint64(entries.length)]
  for (const [key, value] of entries) parts.push(text(key), writeValue(value))
  for (const { name, dimensions, offset } of tensors) {
    parts.push(text(name), uint32(dimensions.length), ...dimensions.map(uint64), uint32(0), uint64(offset))
  }
  return Buffer.concat(parts)
}

/**
 * The same file with a chat template. It is brought to a length with a comment that leaves the tensors aligned, so that what
 * follows can stay as it is.
 */
export function addChatTemplate(file: Uint8Array, template: string): Uint8Array {
  const entry = (source: string) =>
    Buffer.concat([text('tokenizer.chat_template'), writeValue({ type: 'text', value: source })])
  const over = entry(`${template}{##}`).length % ALIGNMENT_BYTES
  const added = entry(`${template}{#${' '.repeat((ALIGNMENT_BYTES - over) % ALIGNMENT_BYTES)}#}`)
  const head = Buffer.from(file.subarray(0, HEAD_START_BYTES))
  head.writeBigUInt64LE(head.readBigUInt64LE(16) + 1n, 16)
  return Buffer.concat([head, added, file.subarray(HEAD_START_BYTES)])
}

function writeValue(entry: EntryValue): Buffer {
  if (entry.type === 'text') return Buffer.concat([uint32(8), text(entry.value)])
  if (entry.type === 'number') return Buffer.concat([uint32(4), uint32(entry.value)])
  return Buffer.concat([uint32(9), uint32(8), uint64(entry.value.length), ...entry.value.map(text)])
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([uint64(bytes.length), bytes])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}
