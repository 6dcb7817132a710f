/** Seven ways to tamper with a dossier, and the check that must catch each. */
import { generateKeyPairSync, sign } from 'node:crypto'
import {
  formatNote,
  type Json,
  parseBase64,
  parseNote,
  parseUtf8,
  toBase64,
  type UnverifiedNote,
  utf8,
} from '@countersign/verify'

export interface Tampering {
  readonly what: string
  /** The first check that does not pass. */
  readonly caughtBy: string
  readonly apply: (dossier: Json, other: Json) => Json
}

/** `other` is an earlier answer's dossier, under an earlier head. */
export const TAMPERINGS: readonly Tampering[] = [
  {
    what: 'changed-input',
    caughtBy: 'record/opening-request-received',
    apply: (dossier) =>
      editContent(dossier, 'request-received', (text) => text.replace(/(\d)(?=\D*$)/, (digit) => `${digit}1`)),
  },
  {
    what: 'changed-output',
    caughtBy: 'record/opening-response-received',
    apply: (dossier) => editContent(dossier, 'response-received', flipDecision),
  },
  {
    what: 'swapped-model-digest',
    caughtBy: 'record/leaf',
    apply: (dossier) =>
      edit(dossier, ['bundle', 'dsseEnvelope', 'payload'], (payload) => {
        const text = parseUtf8(parseBase64(String(payload)))
        return toBase64(
          utf8(text.replace(/("digestSource":"loaded-file","digest":{"sha256":")[0-9a-f]{8}/, '$100000000')),
        )
      }),
  },
  {
    what: 'another-statements-proof',
    caughtBy: 'record/inclusion',
    apply: (dossier, other) => {
      const index = pick(other, [...ENTRY, 'logIndex'])
      const path = pick(other, [...ENTRY, 'inclusionProof'])
      return edit(
        edit(dossier, [...ENTRY, 'inclusionProof'], () => path),
        [...ENTRY, 'logIndex'],
        () => index,
      )
    },
  },
  {
    what: 'cut-log',
    caughtBy: 'record/coverage',
    apply: (dossier, other) => {
      const shorter = pick(other, [...ENTRY, 'inclusionProof']) as { readonly [field: string]: Json }
      return edit(dossier, [...ENTRY, 'inclusionProof'], (proof) => ({
        ...shorter,
        logIndex: (proof as { readonly [field: string]: Json }).logIndex ?? '',
      }))
    },
  },
  {
    what: 'forged-checkpoint',
    caughtBy: 'record/checkpoint',
    apply: (dossier) => editCheckpoint(dossier, forge),
  },
  {
    what: 'another-receipts-id',
    caughtBy: 'record/receipt-id',
    apply: (dossier, other) => edit(dossier, ['receipt'], () => pick(other, ['receipt'])),
  },
]

const ENTRY = ['bundle', 'verificationMaterial', 'tlogEntries', '0']
const CHECKPOINT = [...ENTRY, 'inclusionProof', 'checkpoint', 'envelope']

/** Turns the decision round: approved becomes declined, and the reverse. */
function flipDecision(text: string): string {
  return text.replace(
    /("name":"approve".*"data":\[)([01])/,
    (_, before: string, bit: string) => before + (bit === '1' ? '0' : '1'),
  )
}

/** Signs the checkpoint with a key of the forger's own, under the log's name and key id; witnesses' lines stay. */
function forge(note: UnverifiedNote): UnverifiedNote {
  const { privateKey } = generateKeyPairSync('ed25519')
  const signature = new Uint8Array(sign(null, utf8(note.text), privateKey))
  const origin = note.text.split('\n')[0]
  return {
    text: note.text,
    signatures: note.signatures.map((line) => (line.name === origin ? { ...line, signature } : line)),
  }
}

/** The checkpoint that a dossier's receipt is under. */
export function checkpointOf(dossier: Json): UnverifiedNote {
  return parseNote(utf8(String(pick(dossier, CHECKPOINT))))
}

/** The dossier with another checkpoint. */
export function editCheckpoint(dossier: Json, change: (note: UnverifiedNote) => UnverifiedNote): Json {
  return edit(dossier, CHECKPOINT, () => formatNote(change(checkpointOf(dossier))))
}

function editContent(dossier: Json, subject: string, change: (text: string) => string): Json {
  return edit(dossier, ['openings'], (openings) =>
    (openings as readonly { readonly [field: string]: Json }[]).map((opening) => {
      if (!(opening.subjects as readonly string[]).includes(subject)) return opening
      const text = parseUtf8(parseBase64(String(opening.content)))
      return { ...opening, content: toBase64(utf8(change(text))) }
    }),
  )
}

/** A copy of `value` with the part at `path` changed. */
function edit(value: Json, path: readonly string[], change: (part: Json) => Json): Json {
  const [step, ...rest] = path
  if (step === undefined) return change(value)
  if (Array.isArray(value)) return value.map((item: Json, i) => (String(i) === step ? edit(item, rest, change) : item))
  const object = value as { readonly [field: string]: Json }
  return { ...object, [step]: edit(object[step] ?? null, rest, change) }
}

function pick(value: Json, path: readonly string[]): Json {
  return path.reduce<Json>((part, step) => (part as { readonly [field: string]: Json })[step] ?? null, value)
}
