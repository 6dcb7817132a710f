import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { equalBytes, parseUtf8, toHex } from '../../bytes/bytes.ts'
import { createNodeCrypto } from '../../crypto/node-provider.ts'
import { checkProperty, expectTyped } from '../../fuzzing.testing.ts'
import { changedBytes } from '../../mutation.testing.ts'
import { NO_REAL_DATA, realData, realFiles } from '../attestation-data.testing.ts'
import { type Certificate, parseCertificate, parsePemCertificates } from './certificate.ts'
import { requireNotRevoked, verifyChain, verifyCrl, verifySignedBy } from './chain.ts'
import { parseCrl } from './crl.ts'
import { pinOf } from './pki.testing.ts'

const crypto = createNodeCrypto()
const options = { skip: NO_REAL_DATA }

/** Every real certificate that stands in a file of its own, or in PEM. */
function realCertificates(): readonly Certificate[] {
  const files = ['roots', 'sev-snp', 'tdx', 'nvidia'].flatMap((each) => realFiles(each))
  const inDer = files
    .filter((path) => path.endsWith('.der') && !/crl/.test(path))
    .map((path) => parseCertificate(realData(path)))
  const inPem = files
    .filter((path) => /\.pem$|CertChain/.test(path))
    .flatMap((path) => parsePemCertificates(parseUtf8(realData(path)), 5))
  return [...inDer, ...inPem]
}

test('real certificates: every field is what Node reads', options, () => {
  const certificates = realCertificates()
  assert.ok(certificates.length > 30)
  for (const each of certificates) {
    const theirs = new X509Certificate(each.bytes)
    assert.equal(each.serial, theirs.serialNumber.toLowerCase().padStart(2, '0'))
    assert.equal(each.notBeforeMs, Date.parse(theirs.validFrom))
    assert.equal(each.notAfterMs, Date.parse(theirs.validTo))
    assert.equal(each.isCa, theirs.ca)
    assert.equal(
      `CN=${each.commonName}`,
      theirs.subject.split('\n').find((line) => line.startsWith('CN=')),
    )
    assert.equal(
      `CN=${each.issuerCommonName}`,
      theirs.issuer.split('\n').find((line) => line.startsWith('CN=')),
    )
    assert.ok(equalBytes(each.spki, new Uint8Array(theirs.publicKey.export({ format: 'der', type: 'spki' }))))
  }
})

test('real intermediates of AMD chain to their roots', options, () => {
  for (const path of realFiles('roots').filter((each) => each.includes('ask_ark'))) {
    const chain = parsePemCertificates(parseUtf8(realData(path)), 2)
    const roots = [pinOf(chain[1]?.bytes ?? new Uint8Array())]
    verifyChain(crypto, chain, { roots, atMs: Date.UTC(2026, 5, 1), leafIsCa: true })
  }
})

test('a forged VCEK does not chain, although its names fit', options, () => {
  const chain = parsePemCertificates(parseUtf8(realData('roots/ask_ark_milan.pem')), 2)
  const forged = parseCertificate(realData('sev-snp/test-vcek-invalid-legacy.der'))
  const good = parseCertificate(realData('sev-snp/google_milan_v2_DEBUG.vcek.der'))
  const rules = { roots: [pinOf(chain[1]?.bytes ?? new Uint8Array())], atMs: Date.UTC(2026, 5, 1) }
  verifyChain(crypto, [good, ...chain], rules)
  assert.throws(
    () => verifyChain(crypto, [forged, ...chain], rules),
    /signature on "SEV-VCEK" was not made by "SEV-Milan"/,
  )
})

test("Intel's lists are of Intel's root, and name nobody of its chains", options, () => {
  const root = parseCertificate(realData('roots/intel_sgx_root_ca.der'))
  const signing = parsePemCertificates(parseUtf8(realData('tdx/attrs_2026-03-16/tcb_signing_chain.pem')), 2)
  const crl = parseCrl(realData('tdx/attrs_2026-03-16/root_ca_crl.der'))
  verifyCrl(crypto, crl, root, Date.UTC(2026, 2, 25))
  assert.throws(() => verifyCrl(crypto, crl, root, Date.UTC(2027, 2, 25)), /not current/)
  verifyChain(crypto, signing, {
    roots: [pinOf(root.bytes)],
    atMs: Date.UTC(2026, 2, 25),
    names: [['Intel SGX TCB Signing'], undefined],
  })
  for (const each of signing) requireNotRevoked(each, crl)
  assert.throws(() => verifySignedBy(crypto, parseCrl(realData('tdx/google_pckcrl_2023.der')), root), /was issued by/)
  const platform = parseCrl(realData('tdx/attrs_2026-03-16/pck_crl_platform.der'))
  assert.equal(platform.revoked.size, 57)
  assert.ok(platform.revoked.has('6fc34e5023e728923435d61aa4b83c618166ad35'))
})

test('changes to real certificates and lists give a value or an error of ours', options, (t) => {
  const samples = realCertificates().map(({ bytes }) => bytes)
  checkProperty(t, [changedBytes(samples)], 2000, (bytes) => {
    expectTyped(() => parseCertificate(bytes))
  })
  const lists = realFiles('tdx')
    .filter((path) => /crl.*\.der$/.test(path))
    .map((path) => realData(path))
  checkProperty(t, [changedBytes(lists)], 500, (bytes) => {
    expectTyped(() => parseCrl(bytes))
  })
  t.diagnostic(
    `${samples.length} certificates, ${lists.length} lists, the last ${toHex(samples.at(-1)?.subarray(0, 4) ?? new Uint8Array())}…`,
  )
})
