/** Short ways to change a plan of TDX evidence. */
import { concat, parseHex } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { type JsonPath, withValueAt } from '../../bytes/json-edit.testing.ts'
import type { CollateralItem, CollateralKind } from '../collateral.ts'
import { createTestKey } from '../x509/pki.testing.ts'
import { TDX_TEST_POLICY, type TdxPlan } from './tdx-evidence.testing.ts'

export const MINUTE_MS = 60_000
export const OTHER = createTestKey('p256', 'somebody else')

export const tcb = (plan: TdxPlan, path: JsonPath, value: Json | undefined) => {
  plan.tcbInfo = withValueAt(plan.tcbInfo, path, value)
}
export const qe = (plan: TdxPlan, path: JsonPath, value: Json | undefined) => {
  plan.qeIdentity = withValueAt(plan.qeIdentity, path, value)
}
export const without = (kind: CollateralKind, which: (index: number) => boolean) => (plan: TdxPlan) => {
  plan.editCollateral = (items) => {
    let index = 0
    return items.filter((item) => item.kind !== kind || !which(index++))
  }
}
export const swapped = (kind: CollateralKind, at: number, content: Uint8Array) => (plan: TdxPlan) => {
  plan.editCollateral = (items) => {
    let index = 0
    return items.map((item) => (item.kind === kind && index++ === at ? { kind, content } : item))
  }
}
export const policy = (plan: TdxPlan, more: { readonly [name: string]: Json }) => {
  plan.policy = { ...TDX_TEST_POLICY, ...more }
}
export const report = (plan: TdxPlan, field: string, value: Uint8Array) => {
  plan.report[field] = value
}
export const attributes = (plan: TdxPlan, hex: string) => report(plan, 'tdAttributes', parseHex(hex))
export const critical = { oid: '1.2.3.4', critical: true, value: parseHex('0500') }

/** Sixteen SVNs, the last ones zero. */
export function svn(...first: readonly number[]): Uint8Array {
  return concat(Uint8Array.from(first), new Uint8Array(16 - first.length))
}

/** More items, behind those that are planned or before them. */
export const added = (more: readonly CollateralItem[], where: 'behind' | 'before') => (plan: TdxPlan) => {
  plan.editCollateral = (items) => (where === 'behind' ? [...items, ...more] : [...more, ...items])
}
