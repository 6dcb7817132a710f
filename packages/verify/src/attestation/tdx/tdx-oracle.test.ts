/** Where `@phala/dcap-qvl` and we differ on one and the same evidence: we refuse more, and never less. */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { appraiseTdx } from './appraise-tdx.ts'
import { type OracleModule, oracleCollateral, oracleReport } from './oracle.testing.ts'
import { CHEATS } from './tdx-cheats.testing.ts'
import { buildTdx, planTdx, type TdxPlan } from './tdx-evidence.testing.ts'

const oracle = createRequire(import.meta.url)('@phala/dcap-qvl') as OracleModule

function ask(change: (plan: TdxPlan) => void, version: 4 | 5 = 5) {
  const plan = planTdx(version)
  change(plan)
  const evidence = buildTdx(plan)
  const { quote, input, certificates } = evidence
  const collateral = oracleCollateral(evidence, input.collateral)
  const verifier = oracle.QuoteVerifier.newWithRootCa(Buffer.from(certificates.root))
  const theirs = () => oracleReport(verifier.verify(Buffer.from(quote), collateral, input.atMs / 1000))
  return { theirs, ours: appraiseTdx(evidence.item, input) }
}

test('both agree on sound evidence', () => {
  for (const version of [4, 5] as const) {
    const { theirs, ours } = ask(() => undefined, version)
    assert.deepEqual(theirs(), {
      status: ours.claims.tdx_tcb_status,
      advisoryIds: ours.claims.tdx_advisory_ids,
      mrTd: ours.measurements.mrtd,
      reportData: ours.claims.tdx_report_data,
    })
  }
})

/** What it accepts, as of 0.3.9. Policies, which it has none of, are left out. */
const ACCEPTED: readonly string[] = [
  // Names, flags, extensions and uses of the certificates that issue others.
  ...['another vendor', 'no CA', 'another name', 'an authority of no PCK', 'an unknown critical extension'],
  ...['text between certificates', 'an SGX type of no meaning'],
  // It looks for serial numbers in revocation lists that it can read, and at nothing else of them.
  ...['a garbage root list', 'a root list of another key', 'an expired root list', 'a root list of tomorrow'],
  ...['a root list without an end', 'a root that may not sign lists', 'a garbage PCK list'],
  ...['a PCK list of another key', 'an expired PCK list', 'a list that is critical of something'],
  // Shapes of the lists.
  ...['doubled keys', 'a status of no meaning', 'a surplus field', 'a component too few'],
  ...['a level that is never met', 'two modules of one version', 'levels that go up'],
  // The other half of the report data, the PCE, and everything about the TDX module.
  ...['more than the digest of the key', 'another PCE', 'a module that is not listed', 'no modules listed'],
  ...['a module of another signer', 'SEAM attributes', 'SEAM attributes that no mask looks at', 'a revoked module'],
]
const OF_POLICY = ['tcb-evaluation-number', 'tcb-state', 'advisories', 'measurements']

test('it accepts these, and we refuse them', () => {
  for (const { what, change, check } of CHEATS) {
    if (OF_POLICY.includes(check)) continue
    const { theirs, ours } = ask(change)
    assert.equal(ours.isGenuine && ours.isKnownCode, false, what)
    if (ACCEPTED.includes(what)) theirs()
    else assert.throws(theirs, what)
  }
  assert.deepEqual(
    ACCEPTED.filter((what) => !CHEATS.some((cheat) => cheat.what === what)),
    [],
  )
})
