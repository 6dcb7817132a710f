/** When the answer was recorded: what cosignatures on its head, and on an older one, say about that. */
import { toBase64 } from '../bytes/base64.ts'
import { utf8 } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { CHECKPOINT_MEDIA_TYPE } from '../dossier/dossier.ts'
import { NOW_MS, witnessSigner } from '../fixture.testing.ts'
import { formatNoteKey } from '../log/note.ts'
import { buildScene, logLine, sceneDossier, trustText } from '../scene.testing.ts'
import { expectRows, NOT_RUN, PLAIN_FAILING, type VerdictCase } from './verdict-case.testing.ts'

const scene = buildScene()
const { log } = scene
/** The statement cites the head that was right before it. */
const CITED = scene.index
const NOW = NOW_MS / 1000
const SKEW = 300

const [a, b, c] = ['a', 'b', 'c'].map((name) => witnessSigner(`witness.example/${name}`))
if (a === undefined || b === undefined || c === undefined) throw new Error('no witnesses')
const signers = { a, b, c }
type Seconds = { readonly [name in keyof typeof signers]?: number }

/** A head that those witnesses cosigned at those seconds. */
function head(size: number, seconds: Seconds): string {
  const cosigners = Object.entries(seconds).map(
    ([name, second]) =>
      (text: string) =>
        signers[name as keyof typeof signers].cosign(text, second),
  )
  return log.checkpoint(size, cosigners)
}

const witnesses = Object.entries(signers).map(([name, { key }]) => `witness ${name} ${formatNoteKey(key)}\n`)
const owners = ['a', 'b', 'c'].map((name) => `- name: ${name}\n  owner: ${name} Ltd\n  witnesses: [${name}]\n`)

function trust(quorum: string): string {
  const policy = `${logLine(log)}\n${witnesses.join('')}group two 2 a b c\nquorum ${quorum}\n`
  return trustText(policy, scene, owners.join(''))
}

interface Shown {
  readonly quorum?: string
  /** Seconds at which witnesses cosigned the answer's head. */
  readonly at: Seconds
  /** Checkpoints that the dossier carries as evidence. */
  readonly older?: readonly string[]
  /** Whether linked statements come under the first of those instead. */
  readonly isLinked?: boolean
  /** Sizes that the dossier has proofs from. */
  readonly proofsFrom?: readonly number[]
}

function dossier({ at, older = [], isLinked = false, proofsFrom = [CITED] }: Shown): Json {
  const whole = sceneDossier(scene, head(log.size, at)) as { readonly [field: string]: Json }
  const linked = scene.linked.map((index) => log.bundle(index, CITED, older[0]))
  const evidence = older.map((note) => ({ mediaType: CHECKPOINT_MEDIA_TYPE, content: toBase64(utf8(note)) }))
  const consistency = proofsFrom.map((size) => {
    const { root, path } = log.consistency(size)
    return { size, root: toBase64(root), path: path.map(toBase64) }
  })
  return { ...whole, consistency, ...(isLinked ? { statements: linked } : { evidence }) }
}

function build(name: string, description: string, shown: Shown, expect: VerdictCase['expect']): VerdictCase {
  const { quorum = 'two' } = shown
  return {
    ...{ name, description, atMs: NOW_MS, misbehaviour: [] },
    ...{ trust: trust(quorum), dossier: dossier(shown), expect },
  }
}

/** Seconds from now of both bounds; the later one is the end of its second. */
function bounded(notBefore: number | null, notAfter: number) {
  const notBeforeMs = notBefore === null ? null : (NOW + notBefore) * 1000
  const witnessed = expectRows({ record: 'witnessed', independence: 'witnessed' }, [NOT_RUN])
  return { ...witnessed, time: { notBeforeMs, notAfterMs: (NOW + notAfter) * 1000 + 999 } }
}

export function timeCases(): readonly VerdictCase[] {
  return [...boundCases(), ...withoutStart(), ...futureCases(), ...ageCases()]
}

/** The operator's clock says that the answer is new, and witnesses had seen it long before. */
function ageCases(): readonly VerdictCase[] {
  const seen = NOW - 31 * 86_400
  const shown = { at: { a: seen, b: seen } }
  const aged = (days: number) => ({ trust: `${trust('two')}maximumAgeDays: ${days}\n` })
  const tooOld = expectRows({ record: 'unproven' }, ['record/age'])
  return [
    {
      ...build(
        'older-than-its-operator-says',
        'Witnesses had seen it before the oldest time that counts.',
        shown,
        tooOld,
      ),
      ...aged(30),
    },
    {
      ...build(
        'as-old-as-witnesses-say',
        'By the word of witnesses it is young enough.',
        shown,
        bounded(null, seen - NOW),
      ),
      ...aged(32),
    },
  ]
}

function boundCases(): readonly VerdictCase[] {
  const at = { a: NOW - 10, b: NOW - 30, c: NOW - 20 }
  const shown = { at, older: [head(CITED, { a: NOW - 80, b: NOW - 90, c: NOW - 70 })] }
  const smaller = [head(CITED - 1, { a: NOW - 95, b: NOW - 96 })]
  return [
    build(
      'time-by-the-second-of-three',
      'Two of three are needed: the second to cosign says when.',
      { at },
      bounded(null, -20),
    ),
    build(
      'time-by-the-quorum-alone',
      'Who is not in the quorum does not say when.',
      { at, quorum: 'a' },
      bounded(null, -10),
    ),
    build('time-from-the-cited-head', 'The dossier shows that the cited head was witnessed.', shown, bounded(-80, -20)),
    build(
      'time-from-a-linked-head',
      'A linked statement stands under the cited head.',
      { ...shown, isLinked: true },
      bounded(-80, -20),
    ),
    build(
      'time-from-an-older-head',
      'A head before the cited one was witnessed.',
      { at, older: smaller, proofsFrom: [CITED - 1, CITED] },
      bounded(-96, -20),
    ),
    build(
      'time-from-the-larger-of-two-heads',
      'Of two witnessed heads the larger one says more.',
      { ...shown, older: [...smaller, ...shown.older], proofsFrom: [CITED - 1, CITED] },
      bounded(-80, -20),
    ),
    build(
      'time-that-the-operator-contradicts',
      'Witnesses confirmed the answer long before it ended by the operator’s clock.',
      { at: { a: NOW - 1000, b: NOW - 1000 } },
      bounded(null, -1000),
    ),
    build(
      'time-within-one-second',
      'Both heads were cosigned in one second.',
      { at: { a: NOW, b: NOW }, older: [head(CITED, { a: NOW, b: NOW })] },
      bounded(0, 0),
    ),
  ]
}

/** Ways for the earlier bound not to be shown: the record holds all the same. */
function withoutStart(): readonly VerdictCase[] {
  const at = { a: NOW - 10, b: NOW - 10 }
  const seconds = { a: NOW - 80, b: NOW - 90 }
  const open = bounded(null, -10)
  const without = (name: string, description: string, shown: Omit<Shown, 'at'>) =>
    build(`time-${name}`, description, { at, ...shown }, open)
  const own = new RegExp(`— ${log.signer.key.name} .*\\n`)
  const forged = head(CITED, seconds).replace(own, log.signer.sign('another text\n'))
  const stranger = witnessSigner('witness.example/stranger')
  return [
    without('of-an-unwitnessed-cited-head', 'One of two needed witnesses cosigned the cited head.', {
      older: [head(CITED, { a: NOW - 80 })],
    }),
    without('of-a-cited-head-by-strangers', 'Others than the policy’s witnesses cosigned the cited head.', {
      older: [log.checkpoint(CITED, [(text) => stranger.cosign(text, NOW - 80)])],
    }),
    without('of-a-later-head', 'The witnessed head is later than the cited one.', {
      older: [head(CITED + 1, seconds)],
      proofsFrom: [CITED, CITED + 1],
    }),
    without('of-the-empty-log', 'The witnessed head is that of the empty log.', { older: [head(0, seconds)] }),
    without('of-an-unproven-older-head', 'No proof leads from the older head to the answer’s.', {
      older: [head(CITED - 1, seconds)],
    }),
    without('of-a-forged-cited-head', 'The log did not sign the cited head as it stands.', {
      older: [forged],
    }),
    without('of-no-checkpoint', 'What is called a checkpoint is none.', { older: ['nothing of the kind'] }),
    without('when-clocks-differ', 'By its witnesses’ clocks the cited head is later than the answer’s.', {
      older: [head(CITED, { a: NOW, b: NOW })],
    }),
    build(
      'time-without-witnesses',
      'The policy asks for no witness, so the cosignatures bound nothing.',
      { at, older: [head(CITED, seconds)], quorum: 'none' },
      expectRows({ independence: 'witnessed' }, [NOT_RUN]),
    ),
  ]
}

function futureCases(): readonly VerdictCase[] {
  const late = NOW + SKEW + 1
  const dependent = expectRows({ record: 'witnessed' }, PLAIN_FAILING)
  return [
    build(
      'cosigned-five-minutes-ahead',
      'Clocks of witnesses may be five minutes ahead.',
      { at: { a: NOW + SKEW, b: NOW + SKEW } },
      bounded(null, SKEW),
    ),
    build(
      'cosigned-in-the-future',
      'A cosignature from further in the future does not count for the quorum.',
      { at: { a: NOW, b: late } },
      expectRows({ record: 'unproven' }, ['record/quorum']),
    ),
    build(
      'cosigned-in-the-future-beside-a-quorum',
      'Nor does it count for independence.',
      { at: { a: NOW, b: late }, quorum: 'a' },
      dependent,
    ),
    build(
      'cited-head-cosigned-in-the-future',
      'Nor for the cited head.',
      { at: { a: NOW, b: NOW }, older: [head(CITED, { a: NOW - 80, b: late })] },
      bounded(null, 0),
    ),
  ]
}
