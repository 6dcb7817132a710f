import { toBase64 } from '../bytes/base64.ts'
import { utf8 } from '../bytes/bytes.ts'
import { logSigner, NOW_MS, ORIGIN, witnessSigner } from '../fixture.testing.ts'
import { parseAddCheckpoint, parseCosignatureLines } from '../log/witness-protocol.ts'
import { type FormatVector, type FormatVectors, gives, refused, textOf } from './format-vector.testing.ts'

const HASH_LINE = `${toBase64(new Uint8Array(32).fill(7))}\n`
const TEXT = `${ORIGIN}\n9\n${HASH_LINE}`
const NOTE = `${TEXT}\n${logSigner(ORIGIN).sign(TEXT)}`

export function witnessVectors(): readonly FormatVectors[] {
  return [addCheckpointVectors(), cosignatureLineVectors()]
}

function addCheckpointVectors(): FormatVectors {
  const reads = (name: string, body: string, oldSize: number, hashes: number, signatures: number, text = TEXT) =>
    gives(name, { body }, { oldSize, hashes, text, signatures })
  const extended = `${TEXT}more\n\nold 5\n`
  return {
    file: 'add-checkpoint',
    description:
      'What a log asks of a witness. The value: old size, number of hashes in the proof, text of the checkpoint, number of its signature lines.',
    cases: [
      reads('from nothing', `old 0\n\n${NOTE}`, 0, 0, 1),
      reads('with a proof', `old 5\n${HASH_LINE}${HASH_LINE}\n${NOTE}`, 5, 2, 1),
      reads('63 lines of proof', `old 5\n${HASH_LINE.repeat(63)}\n${NOTE}`, 5, 63, 1),
      reads('100 signatures', `old 5\n\n${NOTE}${logSigner('stranger').sign(TEXT).repeat(99)}`, 5, 0, 100),
      reads('the largest size', `old 9007199254740991\n\n${NOTE}`, Number.MAX_SAFE_INTEGER, 0, 1),
      reads('extension lines', `old 0\n\n${extended}\n${logSigner(ORIGIN).sign(extended)}`, 0, 0, 1, extended),
      ...malformedRequests(),
    ],
    run: (_, input) => {
      const { oldSize, proof, checkpoint } = parseAddCheckpoint(utf8(textOf(input, 'body')))
      return { oldSize, hashes: proof.length, text: checkpoint.text, signatures: checkpoint.signatures.length }
    },
  }
}

function malformedRequests(): readonly FormatVector[] {
  const bad = (name: string, body: string) => refused(name, { body }, 'witness/malformed')
  return [
    bad('64 lines of proof', `old 5\n${HASH_LINE.repeat(64)}\n${NOTE}`),
    bad('nothing', ''),
    bad('a checkpoint alone', NOTE),
    bad('no old size', `${HASH_LINE}\n${NOTE}`),
    bad('a leading zero', `old 05\n\n${NOTE}`),
    bad('a size of 2^53', `old 9007199254740992\n\n${NOTE}`),
    bad('a negative size', `old -5\n\n${NOTE}`),
    bad('carriage returns', `old 5\r\n\r\n${NOTE}`),
    bad('a hash of 31 bytes', `old 5\n${toBase64(new Uint8Array(31))}\n\n${NOTE}`),
    bad('a hash that is not base64', `old 5\n${'_'.repeat(43)}=\n\n${NOTE}`),
    bad('no blank line before the checkpoint', `old 5\n${HASH_LINE}${TEXT}`),
    bad('no checkpoint', 'old 5\n\n'),
    bad('no signature', `old 5\n\n${TEXT}\n`),
    bad('a signature that is cut off', `old 5\n\n${NOTE.slice(0, -3)}`),
    bad('129 signatures', `old 5\n\n${NOTE}${logSigner('stranger').sign(TEXT).repeat(128)}`),
  ]
}

function cosignatureLineVectors(): FormatVectors {
  const [first, second] = ['witness.example/a', 'witness.example/b'].map((name) =>
    witnessSigner(name).cosign(TEXT, NOW_MS / 1000),
  ) as [string, string]
  const bad = (name: string, lines: string) => refused(name, { lines }, 'witness/malformed')
  return {
    file: 'cosignature-lines',
    description: 'What a witness replies. The value: the names on the lines, none of which is checked.',
    cases: [
      gives('one', { lines: first }, ['witness.example/a']),
      gives('two', { lines: first + second }, ['witness.example/a', 'witness.example/b']),
      bad('nothing', ''),
      bad('no line feed', first.trimEnd()),
      bad('a blank line', `${first}\n${second}`),
      bad('another line', `${first}more\n`),
      bad('a whole note', NOTE),
      bad('129 lines', first.repeat(129)),
    ],
    run: (_, input) => parseCosignatureLines(textOf(input, 'lines')).map(({ name }) => name),
  }
}
