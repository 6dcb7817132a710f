/** A party that says everything about itself that a party can say. */
import { NOW_MS, statementSigner, witnessSigner } from '../fixture.testing.ts'
import { formatNoteKey } from '../log/note.ts'
import type { PartyDeclaration } from './party.ts'

export const SAMPLE_PARTY: PartyDeclaration = {
  party: 'Witness One',
  owner: 'One GmbH',
  keys: [statementSigner('witness one').keyId],
  witnesses: [formatNoteKey(witnessSigner('witness.example/a').key)],
  cloud: 'AS64500',
  jurisdiction: 'DE-BE',
  hardwareVendor: 'Example Silicon',
  software: 'countersign',
  declaredAtMs: NOW_MS,
}
