import { utf8 } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { SAMPLE_PARTY } from '../statement/party.testing.ts'
import { type PartyDeclaration, parseParty, partyStatement } from '../statement/party.ts'
import { parseStatement, statementText } from '../statement/statement.ts'
import { type FormatVector, type FormatVectors, gives, refused, textOf } from './format-vector.testing.ts'

export function partyVectors(): FormatVectors {
  return {
    file: 'party',
    description: 'The payload of a party statement, as text. The value is what it declares.',
    cases: [...declarations(), ...refusals()],
    run: (_, input) => ({ ...parseParty(parseStatement(utf8(textOf(input, 'payload')))) }) as unknown as Json,
  }
}

const payload = (declaration: PartyDeclaration) => ({ payload: statementText(partyStatement(declaration)) })

function declarations(): readonly FormatVector[] {
  const { party, owner, keys, declaredAtMs } = SAMPLE_PARTY
  const least = { party, owner, keys, witnesses: [], declaredAtMs }
  const read = (name: string, each: PartyDeclaration) => gives(name, payload(each), each as unknown as Json)
  return [
    read('everything', SAMPLE_PARTY),
    read('no more than it must', least),
    read('a country', { ...least, jurisdiction: 'SE' }),
  ]
}

function refusals(): readonly FormatVector[] {
  const statement = partyStatement(SAMPLE_PARTY)
  const changed = (name: string, changes: Partial<PartyDeclaration>) =>
    refused(name, payload({ ...SAMPLE_PARTY, ...changes }), 'shape/bad-value')
  const text = (name: string, value: typeof statement, error: 'shape/bad-value' | 'statement/wrong-type') =>
    refused(name, { payload: statementText(value) }, error)
  const [subject] = statement.subjects
  if (subject === undefined) throw new Error('no subject')
  const twice = [...SAMPLE_PARTY.keys, ...SAMPLE_PARTY.keys]
  return [
    changed('no owner', { owner: '' }),
    changed('a key twice', { keys: twice }),
    changed('a country by its name', { jurisdiction: 'Germany' }),
    changed('a witness by its name', { witnesses: ['witness.example/a'] }),
    text('about another party', { ...statement, subjects: [{ ...subject, name: 'Another' }] }, 'shape/bad-value'),
    text(
      'by another key',
      { ...statement, subjects: [{ ...subject, digest: { sha256: 'ab'.repeat(32) } }] },
      'shape/bad-value',
    ),
    text('about two parties', { ...statement, subjects: [subject, subject] }, 'shape/bad-value'),
    text('of another type', { ...statement, predicateType: 'urn:example' }, 'statement/wrong-type'),
  ]
}
