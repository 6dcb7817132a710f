/**
 * The smallest coalitions of owners that could break what a quorum of witnesses is for, from the groups of a tlog-policy.
 *
 * @spec spec/independence.md
 */
import type { TlogPolicy } from '../log/tlog-policy.ts'

/** Who controls the policy's witnesses. A witness without a controller is one that nobody knows the owner of. */
export interface WitnessControl {
  /** Owner, or cloud, or whatever is asked about, by name of witness. */
  readonly controllers: ReadonlyMap<string, string>
  /** Names of witnesses that the operator controls, whatever is asked about. */
  readonly operators: ReadonlySet<string>
}

/** How many it takes, whoever the unknown witnesses belong to. `null`: none is enough, not even all together. */
export interface SmallestCoalition {
  readonly atLeast: number | null
  readonly atMost: number | null
  /** One of `atMost` members; those that nobody knows the owner of are there by their witness. */
  readonly members: readonly Member[]
}

export type Member = { readonly controller: string } | { readonly witness: string }

export interface Coalitions {
  /** Those whose witnesses, by not cosigning, keep every head from its quorum. */
  readonly stop: SmallestCoalition
  /** Those with whom the operator and its witnesses can give two heads a quorum each. Honest witnesses sign one of the two. */
  readonly equivocate: SmallestCoalition
}

/**
 * Most controllers of several witnesses whose every combination is tried, and most work for that. For up to 32 witnesses in as
 * many groups sizes are exact; beyond, `atLeast` and `atMost` bound them.
 */
const MAX_COMBINED = 16
const MAX_WORK = 2 ** 22

/** Finds both. With `quorum none` the operator needs nobody to equivocate, and no witness can stop it. */
export function findCoalitions(policy: TlogPolicy, control: WitnessControl): Coalitions {
  if (policy.quorum === 'none') {
    const members: readonly Member[] = []
    return { stop: { atLeast: null, atMost: null, members }, equivocate: { atLeast: 0, atMost: 0, members } }
  }
  const stop = find(
    treeOf(policy, (threshold, members) => members - threshold + 1),
    control,
    new Set(),
  )
  const equivocate = find(treeOf(policy, neededTwice), control, control.operators)
  // Whoever the unknown ones belong to, it is somebody: stopping takes at least one.
  return { stop: { ...stop, atLeast: stop.atLeast === null ? null : Math.max(stop.atLeast, 1) }, equivocate }
}

/** Whether the operator needs no dishonest witness to have two histories confirmed: each is shown one, and either set is a quorum. */
export function canMeetTwice(policy: TlogPolicy): boolean {
  return findCoalitions(policy, { controllers: new Map(), operators: new Set() }).equivocate.atMost === 0
}

/**
 * How many members have to confirm both histories, so that a group has its threshold in either. An honest witness confirms one
 * head of a size, and whichever it is shown: so the others may be shown one history to one half, and the other to the rest.
 */
function neededTwice(threshold: number, members: number): number {
  return Math.max(2 * threshold - members, 0)
}

/** What is below the quorum: nothing else has a say. Nodes are leaves, by name of witness, then groups, the quorum last. */
interface Tree {
  readonly leaves: readonly string[]
  readonly groups: readonly { readonly children: readonly number[]; readonly needed: number }[]
}

function treeOf(
  { witnesses, groups, quorum }: TlogPolicy,
  needed: (threshold: number, members: number) => number,
): Tree {
  const below = new Set([quorum])
  // Groups name only what stands before them, so from the last to the first each comes after those that name it.
  for (const group of groups.toReversed()) {
    if (below.has(group.name)) for (const member of group.members) below.add(member)
  }
  const leaves = witnesses.map(({ name }) => name).filter((name) => below.has(name))
  const inner = groups.filter(({ name }) => below.has(name))
  const places = new Map([...leaves, ...inner.map(({ name }) => name)].map((name, i) => [name, i]))
  return {
    leaves,
    groups: inner.map(({ threshold, members }) => ({
      children: members.flatMap((member) => places.get(member) ?? []),
      needed: needed(threshold, members.length),
    })),
  }
}

/**
 * The cheapest way to have the quorum, where a controller costs one and has all of its witnesses.
 *
 * Controllers of one witness are no trouble: a witness stands in one group only, so a group costs as much as its cheapest
 * members. Controllers of several are tried in all combinations, those of fewest first.
 */
function find(tree: Tree, control: WitnessControl, free: ReadonlySet<string>): SmallestCoalition {
  const several = controllersOfSeveral(tree, control, free)
  const most = Math.floor(Math.log2(MAX_WORK / (tree.leaves.length + tree.groups.length)))
  const combined = several.slice(0, Math.min(MAX_COMBINED, most))
  const isExact = combined.length === several.length
  const isKnown = tree.leaves.every((leaf) => free.has(leaf) || control.controllers.has(leaf))
  /** Unknown witnesses cost one each at most. So do those of controllers that are not combined; nothing, at least. */
  const search = (costOfOthers: 0 | 1) => {
    const kinds = tree.leaves.map((leaf): Kind => {
      const controller = control.controllers.get(leaf)
      if (free.has(leaf)) return 0
      if (controller === undefined) return costOfOthers
      if (combined.includes(controller)) return { combined: combined.indexOf(controller) }
      return several.includes(controller) ? costOfOthers : 1
    })
    return cheapest(tree, kinds, combined.length)
  }
  const upper = search(1)
  const lower = isExact && isKnown ? upper : search(0)
  if (upper === undefined) return { atLeast: null, atMost: null, members: [] }
  const chosen = combined.filter((_, i) => (upper.chosen >> i) & 1).map((controller) => ({ controller }))
  const members = distinct([...chosen, ...upper.leaves.map((leaf) => memberOf(leaf, control))])
  return { atLeast: lower?.cost ?? null, atMost: members.length, members }
}

function memberOf(witness: string, { controllers }: WitnessControl): Member {
  const controller = controllers.get(witness)
  return controller === undefined ? { witness } : { controller }
}

/** Each once, by name: a controller that is not combined may have been paid for by several leaves. */
function distinct(members: readonly Member[]): readonly Member[] {
  const byName = new Map(members.map((member) => [JSON.stringify(member), member]))
  return [...byName.keys()].sort().flatMap((name) => byName.get(name) ?? [])
}

/** Controllers of more than one of the tree's witnesses, those of most first. */
function controllersOfSeveral(
  { leaves }: Tree,
  { controllers }: WitnessControl,
  free: ReadonlySet<string>,
): readonly string[] {
  const counts = new Map<string, number>()
  for (const leaf of leaves) {
    const controller = controllers.get(leaf)
    if (controller !== undefined && !free.has(leaf)) counts.set(controller, (counts.get(controller) ?? 0) + 1)
  }
  const several = [...counts].filter(([, count]) => count > 1)
  return several.sort(([, a], [, b]) => b - a).map(([controller]) => controller)
}

/** What a leaf costs, or whose it is of the combined controllers. */
type Kind = 0 | 1 | { readonly combined: number }

interface Way {
  readonly cost: number
  /** Combined controllers, as bits. */
  readonly chosen: number
  /** Leaves that are paid for besides. */
  readonly leaves: readonly string[]
}

/** The cheapest way, or `undefined` where there is none. */
function cheapest(tree: Tree, kinds: readonly Kind[], combined: number): Way | undefined {
  const prices = new Prices(tree, kinds)
  const all = 2 ** combined - 1
  let always = 0
  for (let i = 0; i < combined; i++) if (!Number.isFinite(prices.reckon(all & ~(1 << i)))) always |= 1 << i
  let best: Way | undefined
  for (let size = 0; size <= combined; size++) {
    if (best !== undefined && size >= best.cost) break
    for (const chosen of subsets(combined, size)) {
      if ((chosen & always) !== always) continue
      const cost = size + prices.reckon(chosen)
      if (cost < (best?.cost ?? Number.POSITIVE_INFINITY)) best = { cost, chosen, leaves: prices.paid() }
    }
  }
  return best
}

/** The numbers of so many bits of which exactly `size` are set, in order. */
function* subsets(bits: number, size: number): Generator<number> {
  if (size === 0) yield 0
  let set = 2 ** size - 1
  while (size > 0 && set < 2 ** bits) {
    yield set
    const lowest = set & -set
    const carried = set + lowest
    set = carried | (((set ^ carried) >> 2) / lowest)
  }
}

/** Reckons what the quorum costs beside the chosen controllers, node by node. */
class Prices {
  readonly #tree: Tree
  readonly #kinds: readonly Kind[]
  readonly #costs: number[]

  constructor(tree: Tree, kinds: readonly Kind[]) {
    this.#tree = tree
    this.#kinds = kinds
    this.#costs = Array.from({ length: kinds.length + tree.groups.length }, () => 0)
  }

  reckon(chosen: number): number {
    const costs = this.#costs
    for (const [i, kind] of this.#kinds.entries()) {
      const isChosen = typeof kind === 'object' && (chosen >> kind.combined) & 1
      costs[i] = typeof kind !== 'object' ? kind : isChosen ? 0 : Number.POSITIVE_INFINITY
    }
    for (const [i, { children, needed }] of this.#tree.groups.entries()) {
      costs[this.#kinds.length + i] = this.#sumOfCheapest(children, needed)
    }
    return costs.at(-1) ?? 0
  }

  /** The leaves that the last reckoning paid for. */
  paid(): readonly string[] {
    const { leaves, groups } = this.#tree
    const bought = new Set([this.#costs.length - 1])
    for (const [i, { children, needed }] of [...groups.entries()].toReversed()) {
      if (!bought.has(leaves.length + i)) continue
      const sorted = [...children].sort((a, b) => this.#costOf(a) - this.#costOf(b))
      for (const child of sorted.slice(0, needed)) bought.add(child)
    }
    return leaves.filter((_, i) => bought.has(i) && this.#costOf(i) > 0)
  }

  #costOf(node: number): number {
    return this.#costs[node] ?? 0
  }

  #sumOfCheapest(children: readonly number[], needed: number): number {
    // Most cost nothing, one, or too much: sorting is for the few groups whose members are groups.
    let [free, ones, hasMore] = [0, 0, false]
    for (const child of children) {
      const cost = this.#costOf(child)
      if (cost === 0) free++
      else if (cost === 1) ones++
      else if (Number.isFinite(cost)) hasMore = true
    }
    if (free + ones >= needed) return Math.max(needed - free, 0)
    if (!hasMore) return Number.POSITIVE_INFINITY
    const costs = children.map((child) => this.#costOf(child)).sort((a, b) => a - b)
    return costs.slice(0, needed).reduce((sum, cost) => sum + cost, 0)
  }
}
