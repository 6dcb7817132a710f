/** Who controls a party in the end. @spec spec/trust-file.md */

/**
 * Each party with the owner at the end of its chain: an owner that is itself the name of a party stands for that party's
 * owner. Parties that own one another in a circle are one owner, by the first of their names.
 */
export function resolveOwners<P extends { readonly name: string; readonly owner: string }>(
  parties: readonly P[],
): readonly P[] {
  const owners = new Map(parties.map(({ name, owner }) => [name, owner]))
  return parties.map((party) => ({ ...party, owner: lastOwner(owners, party.name, party.owner) }))
}

function lastOwner(owners: ReadonlyMap<string, string>, name: string, first: string): string {
  const chain = new Set([name])
  let owner = first
  while (!chain.has(owner)) {
    chain.add(owner)
    const next = owners.get(owner)
    if (next === undefined) return owner
    owner = next
  }
  const names = [...chain]
  return names.slice(names.indexOf(owner)).sort()[0] ?? owner
}
