/** Reports of real machines, where `COUNTERSIGN_TEST_DATA` names their folder. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { parseUtf8 } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { createNodeCrypto } from '../../crypto/node-provider.ts'
import type { Appraised } from '../appraised.ts'
import { NO_REAL_DATA, realData } from '../attestation-data.testing.ts'
import { readPlacePolicy } from '../place-policy.ts'
import { VENDOR_ROOTS } from '../roots.ts'
import { parseCertificate, parsePemCertificates } from '../x509/certificate.ts'
import { verifyChain } from '../x509/chain.ts'
import { pinOf } from '../x509/pki.testing.ts'
import { appraiseSevSnp } from './appraise-sev-snp.ts'
import { parseKeyExtensions } from './vcek-extension.ts'

const AT_MS = Date.UTC(2026, 10, 28)

function certificatesIn(path: string): readonly Uint8Array[] {
  if (path.endsWith('.der')) return [realData(path)]
  return parsePemCertificates(parseUtf8(realData(path)), 4).map(({ bytes }) => bytes)
}

function appraise(
  report: string,
  [...certificates]: readonly string[],
  policy?: { readonly [name: string]: Json },
  trailing: readonly number[] = [],
): Appraised {
  const items = certificates.flatMap(certificatesIn).map((content) => ({ kind: 'certificate' as const, content }))
  return appraiseSevSnp(
    { kind: 'sev-snp', content: Uint8Array.from([...realData(`sev-snp/${report}`), ...trailing]) },
    {
      ...{ crypto: createNodeCrypto(), atMs: AT_MS, nonce: undefined, memory: undefined },
      collateral: { items },
      policy: policy && readPlacePolicy({ tee: 'sev-snp', ...policy }, 'policy'),
    },
  )
}

function failures({ checks }: Appraised): readonly string[] {
  return checks.filter(({ result }) => result === 'fail').map(({ name }) => name)
}

function whenThere(name: string, run: (context: TestContext) => void): void {
  test(name, { skip: NO_REAL_DATA }, run)
}

const GENOA = ['sev-snp/attrs_genoa_v5.vcek.der', 'roots/ask_ark_genoa.pem']
const GENOA_MEASUREMENT =
  'd9912ba396ce409c2947841d93a5076b6839b898c22b4aae05edb3b2b058a99927f8cf9a4f8617ee695deb14795496c8'
const MILAN = ['sev-snp/dstack_milan_v3.vcek.pem', 'roots/ask_ark_milan.pem']
const MILAN_MEASUREMENT =
  '7f51e17f72a04d5422cb2c00998166536019a217376f3aa45a630e59c805a599847ff250dbffcd07e1ba639771d6f05d'

whenThere('the roots of AMD are those that are pinned', () => {
  for (const line of ['milan', 'genoa', 'turin'] as const) {
    const files = [line === 'turin' ? 'ask_ark_turin_vcek' : `ask_ark_${line}`, `ask_ark_${line}_vlek`]
    for (const file of files) {
      const [intermediate, root] = certificatesIn(`roots/${file}.pem`)
      assert.ok(intermediate !== undefined && root !== undefined)
      assert.deepEqual(VENDOR_ROOTS.amd[line], [pinOf(root)])
      const chain = [parseCertificate(intermediate), parseCertificate(root)]
      verifyChain(createNodeCrypto(), chain, { roots: VENDOR_ROOTS.amd[line], atMs: AT_MS, leafIsCa: true })
    }
  }
})

whenThere('Genoa, version 5: holds', () => {
  const appraised = appraise('attrs_genoa_v5.report', GENOA, { measurements: { measurement: [GENOA_MEASUREMENT] } })
  assert.deepEqual(failures(appraised), [])
  assert.ok(appraised.isGenuine && appraised.isKnownCode)
  assert.equal(
    Buffer.from(appraised.boundData ?? [])
      .toString('latin1')
      .slice(0, 17),
    'hello-attestation',
  )
  assert.equal(appraised.deviceIds[0]?.slice(0, 16), 'b5f9a4c8280e63c9')
  // Nobody looked up what AMD revoked.
  assert.equal(appraised.tier, 'warning')
})

whenThere('Genoa, version 5: bytes after it are noted and change nothing', () => {
  const appraised = appraise('attrs_genoa_v5.report', GENOA, undefined, [1, 2, 3])
  assert.ok(appraised.isGenuine)
  assert.match(appraised.notes[0] ?? '', /3 unsigned bytes/)
})

whenThere('Milan, version 3: holds without a floor, refused under one of its SNP firmware', () => {
  const measurements = { measurement: [MILAN_MEASUREMENT] }
  const held = appraise('dstack_milan_v3_outofdate.report', MILAN, { measurements })
  assert.deepEqual(failures(held), [])
  assert.ok(held.isGenuine && held.isKnownCode)
  const refused = appraise('dstack_milan_v3_outofdate.report', MILAN, { measurements, minimum: { snp: 24 } })
  assert.deepEqual(failures(refused), ['sev-snp/reported-tcb'])
  assert.ok(refused.isGenuine && !refused.isKnownCode)
})

whenThere('Milan, version 2, for debugging: signatures hold, refused for that alone', () => {
  const files = ['sev-snp/google_milan_v2_DEBUG.vcek.der', 'roots/ask_ark_milan.pem']
  const appraised = appraise('google_milan_v2_DEBUG.report', files)
  assert.deepEqual(failures(appraised), ['sev-snp/debug'])
  assert.equal(appraised.checks.find(({ name }) => name === 'sev-snp/report-signature')?.result, 'pass')
  assert.equal(appraised.isGenuine, false)
})

whenThere('a forged VCEK: refused by its chain', () => {
  const files = ['sev-snp/test-vcek-invalid-legacy.der', 'roots/ask_ark_milan.pem']
  const appraised = appraise('attrs_milan_v2.report', files)
  assert.deepEqual(failures(appraised), ['sev-snp/chain'])
  const chain = appraised.checks.find(({ name }) => name === 'sev-snp/chain')
  assert.match(chain?.detail ?? '', /signature on "SEV-VCEK" was not made by "SEV-Milan"/)
  assert.equal(appraised.boundData, undefined)
})

whenThere('the VCEK of another machine is refused', () => {
  const files = ['sev-snp/google_milan_v2_DEBUG.vcek.der', 'roots/ask_ark_milan.pem']
  const appraised = appraise('dstack_milan_v3_outofdate.report', files)
  assert.deepEqual(failures(appraised), ['sev-snp/certificate-tcb', 'sev-snp/chip-id', 'sev-snp/report-signature'])
})

whenThere('a VCEK of Turin chains to its root, and names its chip in eight bytes', () => {
  const [leaf, intermediate, root] = [
    ...certificatesIn('sev-snp/virtee_turin.vcek.der'),
    ...certificatesIn('roots/ask_ark_turin_vcek.pem'),
  ].map((der) => parseCertificate(der))
  assert.ok(leaf !== undefined && intermediate !== undefined && root !== undefined)
  const rules = { roots: VENDOR_ROOTS.amd.turin, atMs: AT_MS, names: [['SEV-VCEK'], ['SEV-Turin'], ['ARK-Turin']] }
  verifyChain(createNodeCrypto(), [leaf, intermediate, root], rules)
  const { product, tcb, hardwareId } = parseKeyExtensions(leaf)
  assert.equal(product, 'turin')
  // FMC, boot loader, TEE, SNP, three that are reserved, microcode.
  assert.deepEqual([...tcb], [0, 0, 0, 0, 0, 0, 0, 9])
  assert.equal(Buffer.from(hardwareId ?? []).toString('hex'), '1e550a8ee5cf9f4d')
})

whenThere('the intermediate of VLEKs does not vouch for a VCEK', () => {
  const files = ['sev-snp/attrs_genoa_v5.vcek.der', 'roots/ask_ark_genoa_vlek.pem']
  const appraised = appraise('attrs_genoa_v5.report', files)
  assert.ok(!appraised.isGenuine)
  assert.match(appraised.checks.find(({ name }) => name === 'sev-snp/chain')?.detail ?? '', /lacks/)
})

whenThere('no changed byte of a real report is accepted', () => {
  const certificates = GENOA.flatMap(certificatesIn).map((content) => ({ kind: 'certificate' as const, content }))
  const report = realData('sev-snp/attrs_genoa_v5.report')
  const base = { crypto: createNodeCrypto(), atMs: AT_MS, nonce: undefined, memory: undefined, policy: undefined }
  for (let at = 0; at < report.length; at += 7) {
    const changed = report.slice()
    changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8))
    const item = { kind: 'sev-snp', content: changed } as const
    assert.equal(appraiseSevSnp(item, { ...base, collateral: { items: certificates } }).isGenuine, false, `byte ${at}`)
  }
})
