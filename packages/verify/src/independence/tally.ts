/** Who has how much of what: shares, added up record by record, so that what they come from need not be kept. */
import { CountersignError } from '../errors.ts'
import type { StatementDigest } from '../statement/statement.ts'
import type { Party, Trust } from '../trust/trust-file.ts'
import { type Confirmation, confirmingParties, countOwners } from './confirmation.ts'

/** What shares are of. */
export const SHARE_KINDS = ['inferences', 'offers', 'cosignatures', 'audits', 'fees'] as const
export type ShareKind = (typeof SHARE_KINDS)[number]

/** What those who have them are. */
export type ShareRole = 'operator' | 'publisher' | 'witness' | 'auditor' | 'payee'

/** Something that counts for somebody. */
export interface Contribution {
  readonly role: ShareRole
  readonly of: ShareKind
  /** ISO 4217, of fees: amounts of two currencies are not added. */
  readonly currency?: string
  /** The party by the trust file; or what is known of it, where that knows no party. */
  readonly by: Party | string
  readonly weight: bigint
}

/** All that one holder contributed. */
export interface Holding {
  readonly by: Party | string
  readonly weight: bigint
}

export interface ShareGroup extends Pick<Contribution, 'role' | 'of' | 'currency'> {
  readonly holdings: readonly Holding[]
}

/** Most holders, in all groups together, and most records. */
const MAX_HOLDERS = 8192
const MAX_RECORDS = 2 ** 18

interface OpenGroup extends Pick<Contribution, 'role' | 'of' | 'currency'> {
  readonly holdings: Map<string, { readonly by: Party | string; weight: bigint }>
}

/** Adds up contributions. It keeps a sum for each holder and the digest of each record, and nothing else of it. */
export class Tally {
  readonly trust: Trust
  readonly #groups = new Map<string, OpenGroup>()
  readonly #owners = new Set<string>()
  readonly #records = new Set<StatementDigest>()
  #holders = 0
  #passedOver = 0
  #heads = 0
  #unmetHeads = 0
  #fewestCounted: number | undefined

  constructor(trust: Trust) {
    this.trust = trust
  }

  /** A record that holds, with what it contributes; the same statement counts once. @throws {CountersignError} `independence/too-many` */
  addRecord(
    statement: StatementDigest,
    contributions: readonly Contribution[],
    confirmations: readonly Confirmation[],
  ): void {
    if (this.#records.has(statement)) return
    if (this.#records.size === MAX_RECORDS) throw tooMany(`${MAX_RECORDS} records`)
    this.#records.add(statement)
    this.addContributions(contributions)
    this.#confirm(confirmations)
  }

  /** A published head. @throws {CountersignError} `independence/too-many` */
  addHead(confirmations: readonly Confirmation[], isQuorumMet: boolean): void {
    this.#heads++
    if (!isQuorumMet) this.#unmetHeads++
    this.#confirm(confirmations)
  }

  /** A record or a manifest that does not hold: it counts for nobody. */
  passOver(): void {
    this.#passedOver++
  }

  /** @throws {CountersignError} `independence/too-many` */
  addContributions(contributions: readonly Contribution[]): void {
    for (const each of contributions) this.#add(each)
  }

  get counted() {
    return {
      records: this.#records.size,
      passedOver: this.#passedOver,
      heads: this.#heads,
      unmetHeads: this.#unmetHeads,
    }
  }

  /** Confirmations that count for the record or head with fewest, and all owners that confirmed any. */
  get confirmed(): { readonly fewestCounted: number; readonly owners: readonly string[] } {
    return { fewestCounted: this.#fewestCounted ?? 0, owners: [...this.#owners].sort() }
  }

  get groups(): readonly ShareGroup[] {
    return [...this.#groups.values()].map(({ holdings, ...group }) => ({ ...group, holdings: [...holdings.values()] }))
  }

  #confirm(confirmations: readonly Confirmation[]): void {
    const counted = countOwners(this.trust, confirmingParties(this.trust, confirmations))
    for (const { owner } of counted) this.#owners.add(owner)
    const sum = counted.reduce((total, each) => total + each.counted, 0)
    this.#fewestCounted = Math.min(sum, this.#fewestCounted ?? sum)
    for (const { witness } of confirmations) {
      const by = this.#holderOf(witness)
      this.#add({ role: 'witness', of: 'cosignatures', by, weight: 1n })
    }
  }

  #holderOf(witness: string): Party | string {
    return this.trust.parties.find((each) => each.witnesses.includes(witness)) ?? `witness ${witness}`
  }

  #add({ role, of, currency, by, weight }: Contribution): void {
    const groupName = `${role} ${of} ${currency ?? ''}`
    const group = this.#groups.get(groupName) ?? {
      ...{ role, of, holdings: new Map() },
      ...(currency === undefined ? {} : { currency }),
    }
    this.#groups.set(groupName, group)
    const name = typeof by === 'string' ? `unknown ${by}` : `party ${by.name}`
    const holding = group.holdings.get(name)
    if (holding !== undefined) {
      holding.weight += weight
      return
    }
    if (this.#holders === MAX_HOLDERS) throw tooMany(`${MAX_HOLDERS} holders of shares`)
    this.#holders++
    group.holdings.set(name, { by, weight })
  }
}

function tooMany(what: string): CountersignError {
  return new CountersignError('independence/too-many', `more than ${what}; measure fewer files at a time`)
}
