/** Vectors of successor statements: opened, or why they contradict themselves. */
import { toHex, utf8 } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { type JsonPath, withValueAt } from '../bytes/json-edit.testing.ts'
import { createNobleCrypto } from '../crypto/noble-provider.ts'
import type { ErrorCode } from '../errors.ts'
import { logSigner, NOW_MS, ORIGIN } from '../fixture.testing.ts'
import { formatNoteKey, fullKeyId } from '../log/note.ts'
import { openLogSuccessor } from '../log/successor.ts'
import { buildScene } from '../scene.testing.ts'
import { logSuccessorStatement } from '../statement/log-successor.ts'
import { parseStatement, statementText } from '../statement/statement.ts'
import { type FormatVector, type FormatVectors, gives, refused } from './format-vector.testing.ts'

const crypto = createNobleCrypto()

/** The statement of a log that follows the scene's, of which the first `size` entries are whole. */
export function successorStatement(size = 5): Json {
  const { log, receiptId } = buildScene()
  const { key } = log.signer
  const statement = logSuccessorStatement(
    {
      origin: key.name,
      key: formatNoteKey(key),
      head: log.checkpoint(),
      whole: { size, root: toHex(log.head(size).root) },
      reason: 'disk failure',
      interrupted: [receiptId],
      endedAtMs: NOW_MS,
    },
    toHex(fullKeyId(crypto, key)),
  )
  return JSON.parse(statementText(statement)) as Json
}

export function successorVectors(): FormatVectors {
  return {
    file: 'log-successor',
    description:
      'A successor statement, opened. The value is the log that ended, the size of its last head or null, how many entries are whole, and how many requests were interrupted.',
    cases: [...opened(), ...contradicted(), ...misshapen()],
    run: (provider, input) => {
      const { origin, head, whole, interrupted } = openLogSuccessor(
        provider,
        parseStatement(utf8(JSON.stringify(input))),
      )
      return { origin, headSize: head?.size ?? null, wholeSize: whole.size, interrupted: interrupted.length }
    },
  }
}

const without = (value: Json, ...path: JsonPath) => withValueAt(value, ['predicate', ...path], undefined)
const change = (to: Json, ...path: JsonPath) => withValueAt(successorStatement(), path, to)

function opened(): readonly FormatVector[] {
  const { size } = buildScene().log
  const value = (wholeSize: number, headSize: number | null = size) => ({
    ...{ origin: ORIGIN, headSize, wholeSize, interrupted: 1 },
  })
  return [
    gives('some entries are whole', successorStatement(), value(5)),
    gives('all entries are whole', successorStatement(size), value(size)),
    gives('nothing is whole', successorStatement(0), value(0)),
    gives('a log that never had a head', without(successorStatement(0), 'head'), value(0, null)),
  ]
}

function contradicted(): readonly FormatVector[] {
  const { log } = buildScene()
  const other = logSigner('example.org/another-log')
  const forger = logSigner(ORIGIN, 'forger')
  const text = `${log.checkpoint().split('\n\n')[0]}\n`
  const bad = (name: string, input: Json, error: ErrorCode = 'statement/mismatch') => refused(name, input, error)
  return [
    bad('more is whole than the head covers', change(log.size + 1, 'predicate', 'whole', 'size')),
    bad('something is whole without a head', without(successorStatement(), 'head')),
    bad(
      'another root for what the head covers',
      withValueAt(successorStatement(log.size), ['predicate', 'whole', 'root'], '00'.repeat(32)),
    ),
    bad('the key of another log', change(formatNoteKey(other.key), 'predicate', 'key')),
    bad('another key of that name', change(formatNoteKey(forger.key), 'predicate', 'key')),
    bad('another log key id', change('00'.repeat(32), 'subject', 0, 'digest', 'sha256')),
    bad(
      'a head by another key',
      change(`${text}\n${forger.sign(text)}`, 'predicate', 'head'),
      'note/no-known-signature',
    ),
    bad('a head that is no note', change('no note', 'predicate', 'head'), 'note/malformed'),
    bad('a key that is none', change('no key', 'predicate', 'key'), 'key/malformed'),
  ]
}

function misshapen(): readonly FormatVector[] {
  const bad = (name: string, input: Json, error: ErrorCode = 'shape/bad-value') => refused(name, input, error)
  const ids = (count: number) => Array.from({ length: count }, (_, i) => i.toString(16).padStart(32, '0'))
  return [
    bad('another subject', change('example.org/another-log', 'subject', 0, 'name')),
    bad(
      'two subjects',
      change(
        [0, 1].map((i) => ({ name: `${i}`, digest: { sha256: '00'.repeat(32) } })),
        'subject',
      ),
    ),
    bad('no subject', change([], 'subject')),
    bad('no reason', change('', 'predicate', 'reason')),
    bad('a reason of 1,025 characters', change('x'.repeat(1025), 'predicate', 'reason')),
    bad('a reason with hidden characters', change('a\u202eb', 'predicate', 'reason')),
    bad('a negative size', change(-1, 'predicate', 'whole', 'size')),
    bad('a receipt that is none', change(['x'], 'predicate', 'interrupted')),
    bad('4,097 receipts', change(ids(4097), 'predicate', 'interrupted')),
    bad('unknown field', change(1, 'predicate', 'more'), 'shape/unknown-field'),
    bad('nothing said of what is whole', without(successorStatement(), 'whole'), 'shape/missing-field'),
    bad('another type', change('urn:countersign:erasure/v1', 'predicateType'), 'statement/wrong-type'),
  ]
}
