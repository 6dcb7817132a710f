import { parseBase64, toBase64 } from '../bytes/base64.ts'
import { concat, utf8 } from '../bytes/bytes.ts'
import { createNobleCrypto } from '../crypto/noble-provider.ts'
import { logSigner, NOW_MS, ORIGIN, witnessSigner } from '../fixture.testing.ts'
import { openCheckpoint, openCosignature } from '../log/checkpoint.ts'
import { formatNoteKey, NOTE_ED25519, noteKey, openNote, parseNote, parseNoteKey } from '../log/note.ts'
import { openPromise, parsePromiseHeader } from '../log/promise.ts'
import { RECEIPT_ID } from '../scene.testing.ts'
import { type FormatVector, type FormatVectors, gives, refused, textOf } from './format-vector.testing.ts'

const crypto = createNobleCrypto()
const log = logSigner(ORIGIN)
const stranger = logSigner('example.org/stranger')
const forger = logSigner(ORIGIN, 'forger')
const key = formatNoteKey(log.key)

export function logVectors(): readonly FormatVectors[] {
  return [noteVectors(), checkpointVectors(), cosignatureVectors(), promiseVectors()]
}

/** Signature bytes of `other` under the key id of the log. */
function grafted(text: string, other = forger): string {
  const [mine, theirs] = [log, other].map((signer) => parseBase64(signer.sign(text).trim().split(' ')[2] ?? ''))
  if (mine === undefined || theirs === undefined) throw new Error('no signatures')
  return `— ${ORIGIN} ${toBase64(concat(mine.slice(0, 4), theirs.slice(4)))}\n`
}

function noteVectors(): FormatVectors {
  const text = 'a text\n\nwith a blank line\n'
  return {
    file: 'note',
    description: 'A signed note, opened with `key`. The value is the text that is signed.',
    cases: [...signedNotes(text), ...malformedNotes(text), ...malformedKeys(text)],
    run: (provider, input) =>
      openNote(provider, parseNote(utf8(textOf(input, 'note'))), parseNoteKey(provider, textOf(input, 'key'))),
  }
}

function signedNotes(text: string): readonly FormatVector[] {
  const line = log.sign(text)
  const other = stranger.sign(text)
  const signed = (name: string, note: string) => gives(name, { note, key }, text)
  return [
    signed('one signature', `${text}\n${line}`),
    signed('twice by the key', `${text}\n${line}${line}`),
    signed('an unknown key beside', `${text}\n${other}${line}`),
    signed('an unknown type beside', `${text}\n— somebody AAAAAP8=\n${line}`),
    signed('a bad signature in the name with another id beside', `${text}\n${forger.sign(text)}${line}`),
    signed('128 signatures', `${text}\n${other.repeat(127)}${line}`),
    refused('no signature by the key', { note: `${text}\n${other}`, key }, 'note/no-known-signature'),
    refused('only another key of that name', { note: `${text}\n${forger.sign(text)}`, key }, 'note/no-known-signature'),
    refused('another key under the id', { note: `${text}\n${grafted(text)}`, key }, 'note/bad-signature'),
    refused(
      'a bad signature beside a good one',
      { note: `${text}\n${grafted(text)}${line}`, key },
      'note/bad-signature',
    ),
    refused('changed text', { note: `a test\n\nwith a blank line\n\n${line}`, key }, 'note/bad-signature'),
    refused(
      'truncated signature',
      { note: `${text}\n— ${ORIGIN} ${toBase64(concat(log.key.id, new Uint8Array(63)))}\n`, key },
      'note/bad-signature',
    ),
    refused(
      'a witness key',
      { note: `${text}\n${line}`, key: formatNoteKey(witnessSigner(ORIGIN).key) },
      'note/no-known-signature',
    ),
  ]
}

function malformedNotes(text: string): readonly FormatVector[] {
  const line = log.sign(text)
  const bad = (name: string, note: string) => refused(name, { note, key }, 'note/malformed')
  return [
    bad('empty', ''),
    bad('no signature line', `${text}\n`),
    bad('no blank line', `a text\n${line}`),
    bad('no line feed at the end', `${text}\n${line.trimEnd()}`),
    bad('hyphen in the place of the dash', `${text}\n${line.replace('—', '-')}`),
    bad('two spaces', `${text}\n${line.replace('— ', '—  ')}`),
    bad('no name', `${text}\n— ${line.split(' ')[2]}`),
    bad('plus in the name', `${text}\n— a+b ${line.split(' ')[2]}`),
    bad('bad base64', `${text}\n— ${ORIGIN} AAAA*AAA\n`),
    bad('key id alone', `${text}\n— ${ORIGIN} AAAAAA==\n`),
    bad('something after the base64', `${text}\n${line.trimEnd()} x\n`),
    bad('carriage return in the text', `a text\r\n\n${line}`),
    bad('null character in the text', `a\u0000text\n\n${line}`),
    bad('129 signatures', `${text}\n${line.repeat(129)}`),
    bad('more than 64 KiB', `${'x'.repeat(65_536)}\n\n${line}`),
  ]
}

function malformedKeys(text: string): readonly FormatVector[] {
  const note = `${text}\n${log.sign(text)}`
  const badKey = (name: string, changed: string) => refused(`key: ${name}`, { note, key: changed }, 'key/malformed')
  const [name = '', id = '', encoded = ''] = key.split('+')
  const longName = noteKey(crypto, 'n'.repeat(256), NOTE_ED25519, log.key.publicKey)
  return [
    badKey('another id', `${name}+${'00'.repeat(4)}+${encoded}`),
    badKey('id in capitals', `${name}+${id.toUpperCase()}A+${encoded}`),
    badKey('name missing', `+${id}+${encoded}`),
    badKey('space in the name', `a b+${id}+${encoded}`),
    badKey('name of 257 characters', `n${formatNoteKey(longName)}`),
    badKey('type of ECDSA', `${name}+${id}+${toBase64(concat(Uint8Array.of(2), log.key.publicKey))}`),
    badKey('short key', `${name}+${id}+${toBase64(concat(Uint8Array.of(1), log.key.publicKey.slice(1)))}`),
    badKey('stray bits', `${name}+${id}+AB==`),
    badKey('empty', ''),
  ]
}

const ROOT = 'n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg='

function checkpointVectors(): FormatVectors {
  const note = (text: string, signer = log) => ({ note: `${text}\n${signer.sign(text)}`, key })
  const head = (size: number) => ({ origin: ORIGIN, size, root: ROOT })
  const good = (name: string, text: string, size: number) => gives(name, note(text), head(size))
  const bad = (name: string, text: string) => refused(name, note(text), 'checkpoint/malformed')
  return {
    file: 'checkpoint',
    description: 'A signed checkpoint, opened with the log’s `key`. The value is the tree head, its root in base64.',
    cases: [
      good('plain', `${ORIGIN}\n5\n${ROOT}\n`, 5),
      good('empty log', `${ORIGIN}\n0\n${ROOT}\n`, 0),
      good('largest size', `${ORIGIN}\n9007199254740991\n${ROOT}\n`, Number.MAX_SAFE_INTEGER),
      good('extension line', `${ORIGIN}\n5\n${ROOT}\nan extension\n`, 5),
      refused('another origin', note(`example.org/another\n5\n${ROOT}\n`), 'checkpoint/wrong-origin'),
      refused('by another key', note(`${ORIGIN}\n5\n${ROOT}\n`, forger), 'note/no-known-signature'),
      refused(
        'size changed after signing',
        { note: note(`${ORIGIN}\n5\n${ROOT}\n`).note.replace('\n5\n', '\n6\n'), key },
        'note/bad-signature',
      ),
      bad('size with a leading zero', `${ORIGIN}\n05\n${ROOT}\n`),
      bad('size with a plus', `${ORIGIN}\n+5\n${ROOT}\n`),
      bad('negative size', `${ORIGIN}\n-5\n${ROOT}\n`),
      bad('size above 2^53', `${ORIGIN}\n9007199254740992\n${ROOT}\n`),
      bad('size in hexadecimal', `${ORIGIN}\n0x5\n${ROOT}\n`),
      bad('size missing', `${ORIGIN}\n${ROOT}\n`),
      bad('empty size', `${ORIGIN}\n\n${ROOT}\n`),
      bad('root missing', `${ORIGIN}\n5\n`),
      bad('root of 31 bytes', `${ORIGIN}\n5\n${toBase64(new Uint8Array(31))}\n`),
      bad('root in hexadecimal', `${ORIGIN}\n5\n${'ab'.repeat(32)}\n`),
      bad('root without padding', `${ORIGIN}\n5\n${ROOT.slice(0, -1)}\n`),
      bad('empty origin', `\n5\n${ROOT}\n`),
      bad(
        'a promise',
        `countersign-promise/v1\n${ORIGIN}\n${RECEIPT_ID}\n${'ab'.repeat(32)}\n5\n${ROOT}\n1790000000\n`,
      ),
    ],
    run: (provider, input) => {
      const { origin, size, root } = openCheckpoint(
        provider,
        parseNote(utf8(textOf(input, 'note'))),
        parseNoteKey(provider, textOf(input, 'key')),
      )
      return { origin, size, root: toBase64(root) }
    },
  }
}

function cosignatureVectors(): FormatVectors {
  const witness = witnessSigner('witness.example/a')
  const witnessKey = formatNoteKey(witness.key)
  const text = `${ORIGIN}\n5\n${ROOT}\n`
  const time = NOW_MS / 1000
  const input = (...lines: readonly string[]) => ({
    note: `${text}\n${[log.sign(text), ...lines].join('')}`,
    key: witnessKey,
  })
  const line = witness.cosign(text, time)
  const bytes = parseBase64(line.trim().split(' ')[2] ?? '')
  const withBytes = (changed: Uint8Array) => `— ${witness.key.name} ${toBase64(changed)}\n`
  const retimed = bytes.map((byte, i) => (i === 11 ? byte ^ 1 : byte))
  const plain = logSigner(witness.key.name)
  return {
    file: 'cosignature',
    description:
      'The cosignature by the witness with `key` on a checkpoint. The value is its time in seconds, null for none.',
    cases: [
      gives('plain', input(line), time),
      gives('none', input(), null),
      gives('by another witness', input(witnessSigner('witness.example/b').cosign(text, time)), null),
      gives('two, the earlier counts', input(witness.cosign(text, time + 9), line), time),
      gives('at time zero', input(witness.cosign(text, 0)), 0),
      gives('a plain signature in the witness’s name', input(plain.sign(text)), null),
      refused('for another text', input(witness.cosign(`${ORIGIN}\n6\n${ROOT}\n`, time)), 'note/bad-signature'),
      refused('at another time', input(withBytes(retimed)), 'note/bad-signature'),
      refused('a bad one beside a good one', input(line, withBytes(retimed)), 'note/bad-signature'),
      refused('without a time', input(withBytes(concat(bytes.slice(0, 4), bytes.slice(12)))), 'note/bad-signature'),
      refused('a byte too long', input(withBytes(concat(bytes, Uint8Array.of(0)))), 'note/bad-signature'),
      refused(
        'a time above 2^53',
        input(withBytes(bytes.map((byte, i) => (i === 4 ? 0xff : byte)))),
        'note/bad-signature',
      ),
    ],
    run: (provider, value) => {
      const note = parseNote(utf8(textOf(value, 'note')))
      return openCosignature(provider, note, parseNoteKey(provider, textOf(value, 'key')))?.timeSeconds ?? null
    },
  }
}

function promiseVectors(): FormatVectors {
  const lines = ['countersign-promise/v1', ORIGIN, RECEIPT_ID, 'ab'.repeat(32), '5', ROOT, '1790000060']
  const value = {
    origin: ORIGIN,
    receipt: RECEIPT_ID,
    statement: 'ab'.repeat(32),
    index: 5,
    leafHash: ROOT,
    coverBySeconds: 1_790_000_060,
  }
  const header = (text: string, signer = log) => ({ header: toBase64(utf8(`${text}\n${signer.sign(text)}`)), key })
  const withLine = (at: number, line: string) => `${lines.map((each, i) => (i === at ? line : each)).join('\n')}\n`
  const bad = (name: string, at: number, line: string) => refused(name, header(withLine(at, line)), 'promise/malformed')
  const whole = `${lines.join('\n')}\n`
  const changed = toBase64(utf8(`${withLine(4, '6')}\n${log.sign(whole)}`))
  return {
    file: 'promise',
    description: 'A promise in its one-line form, opened with the log’s `key`. The value is what it says.',
    cases: [
      gives('plain', header(whole), value),
      gives('first index', header(withLine(4, '0')), { ...value, index: 0 }),
      refused('another origin', header(withLine(1, 'example.org/another')), 'checkpoint/wrong-origin'),
      refused('by another key', header(whole, forger), 'note/no-known-signature'),
      refused('changed after signing', { header: changed, key }, 'note/bad-signature'),
      refused('not base64', { header: `${header(whole).header}\n`, key }, 'bytes/bad-base64'),
      refused('not a note', { header: toBase64(utf8(whole)), key }, 'note/malformed'),
      refused('a checkpoint', header(`${ORIGIN}\n5\n${ROOT}\n`), 'promise/malformed'),
      bad('another version', 0, 'countersign-promise/v2'),
      bad('empty origin', 1, ''),
      bad('short receipt', 2, RECEIPT_ID.slice(2)),
      bad('receipt in capitals', 2, 'AB'.repeat(16)),
      bad('short statement', 3, 'ab'.repeat(31)),
      bad('index with a leading zero', 4, '05'),
      bad('index above 2^53', 4, '9007199254740992'),
      bad('leaf hash of 31 bytes', 5, toBase64(new Uint8Array(31))),
      bad('leaf hash not base64', 5, 'no'),
      bad('negative time', 6, '-1'),
      bad('line too many', 6, '1790000060\nmore'),
      refused('line missing', header(`${lines.slice(0, 6).join('\n')}\n`), 'promise/malformed'),
    ],
    run: (provider, input) => {
      const note = parsePromiseHeader(textOf(input, 'header'))
      const promise = openPromise(provider, note, parseNoteKey(provider, textOf(input, 'key')))
      return { ...promise, leafHash: toBase64(promise.leafHash) }
    },
  }
}
