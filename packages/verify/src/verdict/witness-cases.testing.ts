/** Policies with two witnesses: who cosigned, who owns them, and what the quorum asks. */

import type { Json } from '../bytes/json.ts'
import { NOW_MS, witnessSigner } from '../fixture.testing.ts'
import { formatNoteKey } from '../log/note.ts'
import { buildScene, logLine, sceneDossier, trustText } from '../scene.testing.ts'
import { expectRows, NOT_RUN, PLAIN_FAILING, type VerdictCase } from './verdict-case.testing.ts'

export function witnessCases(): readonly VerdictCase[] {
  return [...quorumCases(), ...sharedOwnerCases(), ...ownerCases(), unconfirmedManifest()]
}

const scene = buildScene()
const [a, b] = [witnessSigner('witness.example/a'), witnessSigner('witness.example/b')]
const lines = `${logLine(scene.log)}\nwitness a ${formatNoteKey(a.key)}\nwitness b ${formatNoteKey(b.key)}\n`

function note(signers: readonly (typeof a)[]): string {
  const cosigners = signers.map((signer) => (text: string) => signer.cosign(text, NOW_MS / 1000))
  return scene.log.checkpoint(scene.log.size, cosigners)
}

/** The trust file's lines for whoever owns witnesses. */
function owner(name: string, witness: string, owned = `${name} Ltd`): string {
  return `- name: ${name}\n  owner: ${owned}\n  witnesses: [${witness}]\n`
}

function build(name: string, description: string, quorum: string, signers: readonly (typeof a)[], more: string) {
  return {
    ...{ name, description, atMs: NOW_MS, misbehaviour: [] },
    trust: trustText(`${lines}group both all a b\ngroup some any both\nquorum ${quorum}\n`, scene, more),
    dossier: sceneDossier(scene, note(signers)),
  }
}

const apart = owner('A', 'a') + owner('B', 'b')
const independent = expectRows({ record: 'witnessed', independence: 'witnessed' }, [NOT_RUN])
const dependent = expectRows({ record: 'witnessed' }, PLAIN_FAILING)

function quorumCases(): readonly VerdictCase[] {
  const unmet = expectRows({ record: 'unproven' }, ['record/quorum'])
  return [
    { ...build('quorum-met', 'Two witnesses of two owners cosigned.', 'both', [a, b], apart), expect: independent },
    {
      ...build('quorum-by-nested-group', 'The quorum is a group of a group.', 'some', [a, b], apart),
      expect: independent,
    },
    { ...build('quorum-unmet', 'One of two needed witnesses cosigned.', 'both', [a], apart), expect: unmet },
    { ...build('quorum-without-cosignatures', 'Nobody cosigned.', 'a', [], apart), expect: unmet },
    {
      ...build('quorum-by-the-wrong-witness', 'Another witness than the quorum cosigned.', 'a', [b], apart),
      expect: unmet,
    },
  ]
}

/** The answer's head is cosigned, that of its linked statements is not: a fork of the operator's could hold them. */
function unconfirmedManifest(): VerdictCase {
  const base = build(
    'linked-under-unconfirmed-head',
    'Linked statements under a head without its quorum.',
    'both',
    [a, b],
    apart,
  )
  const { statements } = sceneDossier(scene) as { readonly statements: Json }
  const missing = ['model/deployment', NOT_RUN, 'accountable/deployment', 'accountable/acceptance']
  return {
    ...base,
    dossier: { ...(base.dossier as { readonly [field: string]: Json }), statements },
    expect: expectRows(
      { record: 'witnessed', independence: 'witnessed', model: 'unproven', accountable: 'unproven' },
      missing,
    ),
  }
}

function ownerCases(): readonly VerdictCase[] {
  const lone = lines.replace(/witness b .*\n/, '')
  return [
    {
      ...build(
        'operators-own-witness',
        'A witness of the operator’s owner counts for nothing.',
        'both',
        [a, b],
        owner('A', 'a') + owner('B', 'b', 'Example Operator Ltd'),
      ),
      expect: dependent,
    },
    {
      ...build(
        'unknown-owner',
        'A witness whose owner nobody knows counts for nothing.',
        'both',
        [a, b],
        owner('A', 'a'),
      ),
      expect: dependent,
    },
    {
      ...build('one-owner-is-enough', 'The trust file asks for one owner.', 'a', [a], `${apart}minimumOwners: 1\n`),
      expect: independent,
    },
    {
      ...build(
        'unknown-witness-ignored',
        'A line by a witness that the policy does not know changes nothing.',
        'both',
        [a, b],
        '',
      ),
      trust: trustText(`${lone}quorum a\n`, scene, owner('A', 'a')),
      expect: dependent,
    },
  ]
}

function sharedOwnerCases(): readonly VerdictCase[] {
  return [
    {
      ...build('one-owner-twice', 'Two witnesses of one owner count once.', 'both', [a, b], owner('A', 'a, b')),
      expect: dependent,
    },
    {
      ...build(
        'one-owner-by-two-names',
        'Two parties of one owner count once.',
        'both',
        [a, b],
        owner('A', 'a', 'One Ltd') + owner('B', 'b', 'One Ltd'),
      ),
      expect: dependent,
    },
    {
      ...build(
        'one-owner-twice-allowed',
        'The trust file lets two confirmations of one owner count.',
        'both',
        [a, b],
        `${owner('A', 'a, b')}perOwner: 2\n`,
      ),
      expect: independent,
    },
    {
      ...build(
        'one-owner-by-a-party-between',
        'A party whose owner is a party has that party’s owner.',
        'both',
        [a, b],
        owner('A', 'a') + owner('B', 'b', 'A'),
      ),
      expect: dependent,
    },
  ]
}
