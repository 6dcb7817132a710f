/**
 * Collateral: what a verifier needs beside evidence, from the makers of the hardware. A bundle carries whatever there is;
 * each kind takes what it can use, and checks all signatures. @spec spec/collateral.md
 */
import { toBase64 } from '../bytes/base64.ts'
import { FILE_LIMITS, type Json, parseJson } from '../bytes/json.ts'
import { Fields, type Path } from '../bytes/shape.ts'

export const COLLATERAL_FORMAT = 'countersign-collateral/v1'

/** What an item of a bundle is; each is the exact bytes that its maker serves. */
export const COLLATERAL_KINDS = [
  /** A DER certificate: intermediates of AMD, VCEK, VLEK, issuers of Intel's lists. Where it stands in a chain is told by its names. */
  'certificate',
  /** A DER certificate revocation list. */
  'crl',
  /** Intel's TCB information: the whole JSON answer, `{"tcbInfo":…,"signature":…}`. */
  'intel-tcb-info',
  /** Intel's identity of the quoting enclave: the whole JSON answer, `{"enclaveIdentity":…,"signature":…}`. */
  'intel-qe-identity',
  /** A JSON Web Key Set of a token's issuer. Nobody signs it: only keys that the policy pins count. */
  'jwks',
] as const
export type CollateralKind = (typeof COLLATERAL_KINDS)[number]

export interface CollateralItem {
  readonly kind: CollateralKind
  readonly content: Uint8Array
}

/** Unverified items, in the order of the file. */
export interface CollateralBundle {
  readonly items: readonly CollateralItem[]
}

export const MAX_COLLATERAL_ITEMS = 64
const MAX_ITEM_TEXT = 4 * 1024 * 1024

/**
 * Reads a bundle; looks at no item.
 *
 * @throws {CountersignError} `json/*`, `bytes/*`, `shape/*`
 */
export function parseCollateral(bytes: Uint8Array): CollateralBundle {
  const fields = new Fields(parseJson(bytes, FILE_LIMITS), 'collateral')
  fields.literal('format', COLLATERAL_FORMAT)
  const items = fields.list('items', MAX_COLLATERAL_ITEMS, readItem)
  fields.end()
  return { items }
}

function readItem(item: Json, path: Path): CollateralItem {
  const fields = new Fields(item, path)
  const read = { kind: fields.oneOf('kind', COLLATERAL_KINDS), content: fields.base64('content', MAX_ITEM_TEXT) }
  fields.end()
  return read
}

/** The JSON form of a bundle. */
export function formatCollateral({ items }: CollateralBundle): Json {
  return {
    format: COLLATERAL_FORMAT,
    items: items.map(({ kind, content }) => ({ kind, content: toBase64(content) })),
  }
}

/** Contents of all items of a kind, in the order of the bundle. */
export function itemsOf({ items }: CollateralBundle, kind: CollateralKind): readonly Uint8Array[] {
  return items.filter((item) => item.kind === kind).map(({ content }) => content)
}
