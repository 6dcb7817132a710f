/**
 * The head of a GGUF file, read before a native library sees the file.
 *
 * Reads what a gateway must know and what bounds the rest; the tensors' bytes are the engine's to check.
 *
 * @spec https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3
 */
import { CountersignError, quote } from '@countersign/verify'

export interface GgufHead {
  readonly version: number
  readonly architecture: string
  /** Tokens that the model was trained to see at once. */
  readonly contextTokens: number
  /** Jinja source of the chat template. Base models have none. */
  readonly chatTemplate: string | undefined
  readonly tensorCount: number
}

/** Most bytes of a head: vocabularies of 250,000 tokens take about 15 MB. */
export const MAX_GGUF_HEAD_BYTES = 64 * 1024 * 1024
export const MAX_GGUF_TENSORS = 65_536
export const MAX_GGUF_ENTRIES = 4096
/** Bytes of a key, of a tensor's name and of a chat template; dimensions of a tensor; lists within a list. */
const MAX_KEY_BYTES = 1024
const MAX_TENSOR_NAME_BYTES = 64
const MAX_TEMPLATE_BYTES = 1024 * 1024
const MAX_DIMENSIONS = 4
const MAX_LIST_DEPTH = 2

const MAGIC = 0x46554747
const STRING = 8
const LIST = 9
const DEFAULT_ALIGNMENT_BYTES = 32
/** Bytes of a scalar, by type. The types 4 and 10 are unsigned 32 and 64 bits. */
const SCALAR_BYTES: ReadonlyMap<number, number> = new Map([
  ...([0, 1, 7] as const).map((type) => [type, 1] as const),
  ...([2, 3] as const).map((type) => [type, 2] as const),
  ...([4, 5, 6] as const).map((type) => [type, 4] as const),
  ...([10, 11, 12] as const).map((type) => [type, 8] as const),
])

/**
 * Reads the head of a GGUF file of `fileBytes` bytes, from its first `bytes`: all of it, or {@link MAX_GGUF_HEAD_BYTES}.
 *
 * @throws {CountersignError} `execution/unsupported` when it is no GGUF, is cut, exceeds a limit, or is one file of several
 */
export function parseGgufHead(bytes: Uint8Array, fileBytes: number): GgufHead {
  const reader = new Reader(bytes)
  if (reader.uint32('magic') !== MAGIC) throw unusable('it does not begin with GGUF')
  const version = reader.uint32('version')
  if (version !== 2 && version !== 3) throw unusable(`version ${version} is not 2 or 3`)
  const tensorCount = reader.count('tensors', MAX_GGUF_TENSORS)
  const entryCount = reader.count('entries', MAX_GGUF_ENTRIES)
  const entries = readEntries(reader, entryCount)
  const alignment = entries.get('general.alignment') ?? DEFAULT_ALIGNMENT_BYTES
  if (typeof alignment !== 'number' || alignment < 8 || alignment % 8 !== 0) throw unusable('its alignment is none')
  verifyTensors(reader, tensorCount, alignment, fileBytes)
  const parts = entries.get('split.count')
  if (parts !== undefined && parts !== 1 && parts !== 0) throw unusable('it is one file of several')
  const architecture = entries.get('general.architecture')
  if (typeof architecture !== 'string') throw unusable('it names no architecture')
  const contextTokens = entries.get(`${architecture}.context_length`)
  if (typeof contextTokens !== 'number' || contextTokens < 1) throw unusable('it names no length of context')
  const chatTemplate = entries.get('tokenizer.chat_template')
  if (chatTemplate !== undefined && typeof chatTemplate !== 'string') throw unusable('its chat template is no text')
  return { version, architecture, contextTokens, chatTemplate, tensorCount }
}

/** Texts and unsigned whole numbers, by key; what has another type is passed over, and is there as `undefined`. */
function readEntries(reader: Reader, count: number): ReadonlyMap<string, string | number | undefined> {
  const entries = new Map<string, string | number | undefined>()
  for (let i = 0; i < count; i++) {
    const key = reader.text('key', MAX_KEY_BYTES)
    if (entries.has(key)) throw unusable(`${quote(key)} stands twice`)
    const type = reader.uint32('type')
    if (type === STRING && key === 'tokenizer.chat_template') entries.set(key, reader.text(key, MAX_TEMPLATE_BYTES))
    else if (type === STRING && key === 'general.architecture') entries.set(key, reader.text(key, MAX_KEY_BYTES))
    else if (type === 2) entries.set(key, reader.uint16(key))
    else if (type === 4) entries.set(key, reader.uint32(key))
    else if (type === 10) entries.set(key, reader.uint64(key))
    else {
      reader.passOver(type, 0)
      entries.set(key, undefined)
    }
  }
  return entries
}

/** Each tensor has a name of its own, sane dimensions, and begins inside the file, where the alignment allows. */
function verifyTensors(reader: Reader, count: number, alignment: number, fileBytes: number): void {
  const names = new Set<string>()
  let lastOffset = -1
  for (let i = 0; i < count; i++) {
    const name = reader.text('tensor name', MAX_TENSOR_NAME_BYTES)
    if (names.has(name)) throw unusable(`tensor ${quote(name)} stands twice`)
    names.add(name)
    const dimensions = reader.uint32('dimensions')
    if (dimensions < 1 || dimensions > MAX_DIMENSIONS)
      throw unusable(`tensor ${quote(name)} has ${dimensions} dimensions`)
    let elements = 1
    for (let axis = 0; axis < dimensions; axis++) elements *= reader.uint64('dimension')
    if (elements < 1 || !Number.isSafeInteger(elements))
      throw unusable(`tensor ${quote(name)} has ${elements} elements`)
    reader.uint32('tensor type')
    const offset = reader.uint64('offset')
    if (offset % alignment !== 0) throw unusable(`tensor ${quote(name)} is not aligned`)
    lastOffset = Math.max(lastOffset, offset)
  }
  const dataStart = Math.ceil(reader.offset / alignment) * alignment
  if (count > 0 && dataStart + lastOffset >= fileBytes) throw unusable('it ends before its last tensor')
}

/** Reads little-endian values in order, and never beyond the end. */
class Reader {
  offset = 0
  readonly #bytes: Uint8Array
  readonly #view: DataView

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  uint16(what: string): number {
    return this.#view.getUint16(this.#take(2, what), true)
  }

  uint32(what: string): number {
    return this.#view.getUint32(this.#take(4, what), true)
  }

  /** A number above 2^53 is in no file that could be served. */
  uint64(what: string): number {
    const value = Number(this.#view.getBigUint64(this.#take(8, what), true))
    if (!Number.isSafeInteger(value)) throw unusable(`${quote(what)} is too large a number`)
    return value
  }

  count(what: string, max: number): number {
    const value = this.uint64(what)
    if (value > max) throw unusable(`it has ${value} ${what}, at most ${max}`)
    return value
  }

  text(what: string, maxBytes: number): string {
    const length = this.uint64(what)
    if (length > maxBytes) throw unusable(`${quote(what)} has ${length} bytes, at most ${maxBytes}`)
    const start = this.#take(length, what)
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(this.#bytes.subarray(start, start + length))
    } catch {
      throw unusable(`${quote(what)} is not UTF-8`)
    }
  }

  passOver(type: number, depth: number): void {
    const scalarBytes = SCALAR_BYTES.get(type)
    if (scalarBytes !== undefined) this.#take(scalarBytes, 'value')
    else if (type === STRING) this.#take(this.uint64('text'), 'text')
    else if (type === LIST && depth < MAX_LIST_DEPTH) this.#passOverList(depth)
    else throw unusable(`a value has type ${type}${type === LIST ? ', too deep' : ''}`)
  }

  /** An item takes at least a byte, so the length of the head bounds the loop. */
  #passOverList(depth: number): void {
    const type = this.uint32('type')
    const length = this.uint64('length')
    const scalarBytes = SCALAR_BYTES.get(type)
    if (scalarBytes !== undefined) {
      this.#take(length * scalarBytes, 'list')
      return
    }
    if (length > this.#bytes.length - this.offset) throw unusable('a list is cut')
    for (let i = 0; i < length; i++) this.passOver(type, depth + 1)
  }

  /** Where the next `length` bytes begin. */
  #take(length: number, what: string): number {
    const start = this.offset
    if (length > this.#bytes.length - start) throw unusable(`${quote(what)} is cut, or the head is too long`)
    this.offset = start + length
    return start
  }
}

function unusable(why: string): CountersignError {
  return new CountersignError('execution/unsupported', `the model’s file is not a GGUF file that can be run: ${why}`)
}
