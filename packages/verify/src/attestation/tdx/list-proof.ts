/** Intel's lists: who signed them, for which platform they are, and that they are current. */
import { CountersignError } from '../../errors.ts'
import type { AppraisalInput } from '../appraised.ts'
import type { Certificate } from '../x509/certificate.ts'
import { requireNotRevoked, verifyChain, verifyMessage } from '../x509/chain.ts'
import { type IntelCollateral, newestThat } from './intel-collateral.ts'
import type { ListDates, UnverifiedList } from './intel-json.ts'
import type { PckProof } from './pck-proof.ts'
import type { QeIdentity } from './qe-identity.ts'
import type { TcbInfo } from './tcb-info.ts'
import type { TdxChecks } from './tdx-checks.ts'

const SIGNER_NAME = 'Intel SGX TCB Signing'
const CHAIN_NAMES = [[SIGNER_NAME], ['Intel SGX Root CA']]

/** Lists that were proven to be Intel's and current. */
export interface ListProof {
  readonly tcbInfo: TcbInfo | undefined
  readonly qeIdentity: QeIdentity | undefined
  readonly currentUntilMs: number
}

/** Proves what it can of the lists, check by check. */
export function proveLists(
  checks: TdxChecks,
  collateral: IntelCollateral,
  { platform, root, rootCrl }: PckProof,
  roots: readonly string[],
  input: AppraisalInput,
): ListProof {
  const chained = root && proveSigners(checks, collateral, root, roots, input)
  const signers = chained && rootCrl && checks.attempt('tcb-signing-revocation', () => unrevoked(chained, rootCrl))
  if (signers === undefined)
    return { tcbInfo: undefined, qeIdentity: undefined, currentUntilMs: Number.MAX_SAFE_INTEGER }
  const tcbInfo = platform && proveTcbInfo(checks, collateral, platform.fmspc, signers, input)
  const qeIdentity = proveQeIdentity(checks, collateral, signers, input)
  const ends = [
    ...signers.map(({ notAfterMs }) => notAfterMs),
    ...[tcbInfo, qeIdentity].map((list) => list?.nextUpdateMs ?? Number.MAX_SAFE_INTEGER),
  ]
  return { tcbInfo, qeIdentity, currentUntilMs: Math.min(...ends) }
}

/** The certificates that may sign lists, and whose chain holds. There may be several while Intel changes them. */
function proveSigners(
  checks: TdxChecks,
  { certificates }: IntelCollateral,
  root: Certificate,
  roots: readonly string[],
  { crypto, atMs, memory }: AppraisalInput,
): readonly Certificate[] | undefined {
  const named = certificates.items.filter(({ commonName }) => commonName === SIGNER_NAME)
  if (named.length === 0) {
    checks.notChecked('tcb-signing-chain', `the collateral has no certificate of ${SIGNER_NAME}`)
    return undefined
  }
  return checks.attempt('tcb-signing-chain', () =>
    allThat(named, (signer) => verifyChain(crypto, [signer, root], { roots, atMs, names: CHAIN_NAMES }, memory)),
  )
}

function unrevoked(signers: readonly Certificate[], rootCrl: NonNullable<PckProof['rootCrl']>): readonly Certificate[] {
  return allThat(signers, (signer) => requireNotRevoked(signer, rootCrl))
}

/** Those that `verify` lets through; where there is none, what it has against the first. */
function allThat<T>(items: readonly T[], verify: (item: T) => void): readonly T[] {
  let refusal: CountersignError | undefined
  const good = items.filter((item) => {
    try {
      verify(item)
      return true
    } catch (thrown) {
      if (!(thrown instanceof CountersignError)) throw thrown
      refusal ??= thrown
      return false
    }
  })
  if (good.length === 0 && refusal !== undefined) throw refusal
  return good
}

function proveTcbInfo(
  checks: TdxChecks,
  { tcbInfos }: IntelCollateral,
  fmspc: string,
  signers: readonly Certificate[],
  input: AppraisalInput,
): TcbInfo | undefined {
  const items = tcbInfos.items.flatMap((list) => (list.info?.fmspc === fmspc ? [{ ...pair(list, list.info) }] : []))
  if (items.length === 0 && tcbInfos.unreadable.length === 0) {
    checks.notChecked('tcb-info', `the collateral has no TDX TCB information for FMSPC ${fmspc}`)
    return undefined
  }
  return checks.attempt('tcb-info', () =>
    newestThat(
      { items, unreadable: tcbInfos.unreadable },
      ({ value }) => value.issuedAtMs,
      ({ list, value }) => proveList(list, value, 'the TCB information', signers, input),
    ),
  )
}

function proveQeIdentity(
  checks: TdxChecks,
  { qeIdentities }: IntelCollateral,
  signers: readonly Certificate[],
  input: AppraisalInput,
): QeIdentity | undefined {
  const items = qeIdentities.items.flatMap((list) => (list.identity === undefined ? [] : [pair(list, list.identity)]))
  if (items.length === 0 && qeIdentities.unreadable.length === 0) {
    checks.notChecked('qe-identity', 'the collateral has no identity of the quoting enclave for trust domains')
    return undefined
  }
  return checks.attempt('qe-identity', () =>
    newestThat(
      { items, unreadable: qeIdentities.unreadable },
      ({ value }) => value.issuedAtMs,
      ({ list, value }) => proveList(list, value, "the quoting enclave's identity", signers, input),
    ),
  )
}

function pair<T>(list: UnverifiedList, value: T) {
  return { list, value }
}

/** A list that one of the signers signed, at its time. */
function proveList<T extends ListDates>(
  list: UnverifiedList,
  value: T,
  what: string,
  signers: readonly Certificate[],
  { crypto, atMs, memory }: AppraisalInput,
): T {
  allThat(signers, (signer) => {
    const prove = () => {
      verifyMessage(crypto, signer.publicKey, 'sha256', list.signed, list.signature)
      return true
    }
    if (memory === undefined) prove()
    else memory.recallOf('tdx/signed-list', list, signer, prove)
  })
  if (atMs >= value.issuedAtMs && atMs < value.nextUpdateMs + 1000) return value
  const [from, to] = [value.issuedAtMs, value.nextUpdateMs].map((ms) => new Date(ms).toISOString())
  throw new CountersignError('collateral/not-current', `${what} is of ${from} until ${to}`)
}
