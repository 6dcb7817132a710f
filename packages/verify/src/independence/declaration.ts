/** What parties say of themselves, beside what the relying party knows. @spec spec/party.md */
import type { Crypto } from '../crypto/crypto.ts'
import { CountersignError } from '../errors.ts'
import type { UnverifiedReceipt } from '../log/bundle.ts'
import { formatNoteKey } from '../log/note.ts'
import { openReceipt } from '../log/receipt.ts'
import { type PartyDeclaration, parseParty } from '../statement/party.ts'
import { parseStatement } from '../statement/statement.ts'
import { findKeyHolder, type Party, type Trust } from '../trust/trust-file.ts'

/** A declaration that stands in a trusted log, signed by a key that it names as its own. */
export interface OpenedDeclaration {
  readonly declaration: PartyDeclaration
  readonly keyId: string
  readonly origin: string
  readonly index: number
  /** Whose key that is by the trust file. */
  readonly known: Party | undefined
}

/** `confirmed`: the trust file says the same. `unconfirmed`: it does not say. */
export type Standing = 'confirmed' | 'contradicted' | 'unconfirmed'

/** One thing that a party says, and what the trust file makes of it. */
export interface DeclaredFact {
  readonly fact: 'owner' | 'cloud' | 'jurisdiction' | 'hardwareVendor' | 'software' | 'key' | 'witness'
  readonly says: string
  readonly standing: Standing
}

export interface ComparedDeclaration {
  /** The name that it gives itself. */
  readonly party: string
  /** Its name in the trust file; `null` where that does not know its key. */
  readonly knownAs: string | null
  readonly keyId: string
  readonly index: number
  readonly declaredAtMs: number
  readonly facts: readonly DeclaredFact[]
}

/**
 * A party's declaration out of its receipt, after log and signature were checked.
 *
 * Proves that whoever holds the key says so. Nothing of it is true for that, and nothing of it counts.
 *
 * @throws {CountersignError} `policy/unknown-log`, `statement/*`, `shape/*`, and what opening a receipt throws
 */
export function openDeclaration(crypto: Crypto, trust: Trust, receipt: UnverifiedReceipt): OpenedDeclaration {
  const origin = receipt.checkpoint.text.split('\n')[0] ?? ''
  const log = trust.policy.logs.find((each) => each.key.name === origin)
  if (log === undefined) throw new CountersignError('policy/unknown-log', 'the trust file has no key for this log')
  const { payload, keyId, index } = openReceipt(crypto, receipt, log.key)
  const declaration = parseParty(parseStatement(payload))
  if (!declaration.keys.includes(keyId)) {
    throw new CountersignError('statement/mismatch', 'the party’s statement is not signed by a key that it names')
  }
  return { declaration, keyId, origin, index, known: findKeyHolder(trust, keyId, { origin, index }) }
}

/** Sets what a party says beside what the trust file says. */
export function compareDeclaration(trust: Trust, opened: OpenedDeclaration): ComparedDeclaration {
  const { declaration, keyId, index, known } = opened
  // An owner that is itself a party stands for that party's owner, here as in the trust file.
  const owner = trust.parties.find(({ name }) => name === declaration.owner)?.owner ?? declaration.owner
  const plain = (['cloud', 'jurisdiction', 'hardwareVendor', 'software'] as const).flatMap((fact) => {
    const says = declaration[fact]
    return says === undefined ? [] : [{ fact, says, standing: standingOf(says, known?.[fact]) }]
  })
  const keys = declaration.keys.map((key): DeclaredFact => {
    return { fact: 'key', says: key, standing: holding(known, findKeyHolder(trust, key, opened)) }
  })
  const witnesses = declaration.witnesses.map((key): DeclaredFact => {
    const name = trust.policy.witnesses.find((each) => formatNoteKey(each.key) === key)?.name
    const holder = name === undefined ? undefined : trust.parties.find((party) => party.witnesses.includes(name))
    return { fact: 'witness', says: key, standing: holding(known, holder) }
  })
  return {
    party: declaration.party,
    knownAs: known?.name ?? null,
    ...{ keyId, index, declaredAtMs: declaration.declaredAtMs },
    facts: [
      { fact: 'owner', says: declaration.owner, standing: standingOf(owner, known?.owner) },
      ...plain,
      ...keys,
      ...witnesses,
    ],
  }
}

function standingOf(says: string, knows: string | undefined): Standing {
  if (knows === undefined) return 'unconfirmed'
  return says === knows ? 'confirmed' : 'contradicted'
}

/** Whether a key is the party's: by the trust file it may be, be another's, or be nobody's. */
function holding(known: Party | undefined, holder: Party | undefined): Standing {
  if (holder === undefined || known === undefined) return holder === undefined ? 'unconfirmed' : 'contradicted'
  return holder.name === known.name ? 'confirmed' : 'contradicted'
}
