/** What is wrong with evidence, by the check that finds it: in each case that one alone. */
import { concat, utf8 } from '../../bytes/bytes.ts'
import { TAG } from '../x509/der.ts'
import { der, integer, octets } from '../x509/der-writer.testing.ts'
import { createTestKey, issue, TEST_AT_MS } from '../x509/pki.testing.ts'
import type { SnpCheck } from './appraise-sev-snp.ts'
import { HOST_VMPL } from './report.ts'
import {
  AT,
  flip,
  hardwareId,
  rootsOf,
  type SnpOptions,
  withExtension,
  writeUint32,
  writeUint64,
} from './sev-snp-evidence.testing.ts'

export type Cheat = readonly [check: SnpCheck, what: string, options: SnpOptions]

const DAY_MS = 86_400_000

const EXTENSION_VALUES = {
  milanB9: der(TAG.ia5String, utf8('Milan-B9')),
  venice: der(TAG.ia5String, utf8('Venice')),
  genoa: der(TAG.ia5String, utf8('Genoa')),
  siena: der(TAG.ia5String, utf8('Siena-B1')),
} as const

const edited = (edit: (report: Uint8Array) => void): SnpOptions => ({ edit })
const policyBits = (bits: bigint): SnpOptions => edited((report) => writeUint64(report, AT.policy, bits))
const extension = (suffix: string, value: Uint8Array | undefined): SnpOptions => ({
  extensions: (those) => withExtension(those, suffix, value),
})

const FORMAT: readonly Cheat[] = [
  ['format', 'one byte short', { forge: (report) => report.subarray(0, 1183) }],
  ['format', 'empty', { forge: () => new Uint8Array(0) }],
  ['format', 'version 1', edited((report) => writeUint32(report, AT.version, 1))],
  ['format', 'version 6', edited((report) => writeUint32(report, AT.version, 6))],
  ['format', 'another signature algorithm', edited((report) => writeUint32(report, AT.algorithm, 2))],
  ['format', 'no such privilege level', edited((report) => writeUint32(report, AT.vmpl, 4))],
  ['format', 'reserved bits of the key', edited((report) => flip(report, AT.key, 0x20))],
  ['format', 'bit 17 of the policy is zero', policyBits(0x1_0000n)],
  ['format', 'an unknown bit of the policy', policyBits(0x3_0000n | (1n << 26n))],
  ['format', 'an unknown bit of the platform', edited((report) => flip(report, AT.platform + 1, 1))],
  ['format', 'a processor of no product line', edited((report) => flip(report, AT.cpuid, 0x40))],
  ['format', 'a processor of another group of models', edited((report) => flip(report, AT.cpuid + 1, 0x20))],
  ...[0x4c, 0x18b, 0x19f, 0x1eb, 0x1ef, 0x1f8, 0x200, 0x208, 0x29f].map(
    (at): Cheat => ['format', `byte ${at} is not zero in version 3`, edited((report) => flip(report, at))],
  ),
  ['format', 'vectors of mitigations in version 4', { version: 4, edit: (report) => report.fill(1, 0x1f8, 0x208) }],
  ['format', 'a processor in version 2', { version: 2, edit: (report) => flip(report, AT.cpuid) }],
  ...[48, 71, 120, 143, 144, 511].map(
    (at): Cheat => [
      'format',
      `byte ${at} of the signature's field is not zero`,
      {
        forge: (report) => {
          flip(report, AT.signature + at)
          return report
        },
      },
    ],
  ),
]

const SIGNER: readonly Cheat[] = [
  ['signing-key', 'no key', edited((report) => flip(report, AT.key, 7 << 2))],
  ['signing-key', 'a key of a reserved kind', edited((report) => flip(report, AT.key, 3 << 2))],
  ['product', 'a processor of another product', edited((report) => report.set([0x19, 0x11], AT.cpuid))],
  ['product', 'an unknown product', extension('2', EXTENSION_VALUES.venice)],
  ['product', 'the certificate names another product', extension('2', EXTENSION_VALUES.genoa)],
  ['product', 'an unknown version of the extensions', extension('1', integer(2))],
  ['product', 'the extensions of Turin for Milan', extension('1', integer(1))],
  ['product', 'a TCB extension is missing', extension('3.3', undefined)],
  ['product', 'a TCB extension of another product', extension('3.9', integer(0))],
  ['product', 'a TCB version above a byte', extension('3.8', integer(256))],
  ['product', 'a chip and a cloud', extension('5', der(TAG.ia5String, utf8('somebody')))],
  ['product', 'neither chip nor cloud', extension('4', undefined)],
  ['product', 'a chip of seven bytes', { product: 'turin', ...extension('4', new Uint8Array(7)) }],
  ['product', 'a reserved byte of the committed TCB', edited((report) => flip(report, AT.committedTcb + 3))],
  [
    'product',
    'a reserved byte of the TCB on Turin',
    { product: 'turin', edit: (report) => flip(report, AT.launchTcb + 5) },
  ],
]

const CHAIN: readonly Cheat[] = [
  ['chain', 'a root that is not pinned', { roots: () => rootsOf('milan', '00'.repeat(32)) }],
  ['chain', 'the root of another product', { roots: (pin) => rootsOf('genoa', pin) }],
  ['chain', 'the leaf is expired', { leaf: { notAfterMs: TEST_AT_MS - DAY_MS } }],
  ['chain', 'the intermediate is not valid yet', { intermediate: { notBeforeMs: TEST_AT_MS + DAY_MS } }],
  ['chain', 'the root is expired', { root: { notAfterMs: TEST_AT_MS - DAY_MS } }],
  ['chain', 'the leaf is signed by another', { leaf: { signer: createTestKey('rsa4096') } }],
  ['chain', 'the intermediate is signed by another', { intermediate: { signer: createTestKey('rsa4096', 'other') } }],
  ['chain', 'the intermediate may not issue', { intermediate: { isCa: false } }],
  ['chain', "the intermediate's key is not for certificates", { intermediate: { isCa: true, keyUsage: 0x80 } }],
  ['chain', 'the leaf may issue', { leaf: { isCa: true } }],
  ['chain', 'the intermediate of VLEKs above a VCEK', { intermediate: { subject: 'SEV-VLEK-Milan' } }],
  ['chain', 'a root by another name', { root: { subject: 'ARK-Genoa' } }],
  [
    'chain',
    'a critical extension that nobody knows',
    { extensions: (those) => [...those, { oid: '1.2.3', critical: true, value: integer(1) }] },
  ],
]

const REVOCATION: readonly Cheat[] = [
  ['revocation', 'the intermediate is revoked', { lists: [{ revoked: [{ serial: '010001' }] }] }],
  ['revocation', 'one list of two revokes it', { lists: [{}, { revoked: [{ serial: '010001' }] }] }],
  ['revocation', 'the list is old', { lists: [{ nextUpdateMs: TEST_AT_MS - DAY_MS }] }],
  ['revocation', 'the list is of tomorrow', { lists: [{ thisUpdateMs: TEST_AT_MS + DAY_MS }] }],
  ['revocation', 'the list never grows old', { lists: [{ nextUpdateMs: 'none' }] }],
  ['revocation', 'the list is signed by another', { lists: [{ signer: createTestKey('rsa4096', 'other') }] }],
  [
    'revocation',
    'a list that is garbage',
    {
      collateral: (items) => [...items.filter(({ kind }) => kind !== 'crl'), { kind: 'crl', content: utf8('garbage') }],
    },
  ],
  ['revocation', 'no list, and the policy wants one', { lists: [], policy: { forbid: ['unchecked-revocation'] } }],
]

const REPORT: readonly Cheat[] = [
  ['certificate-tcb', 'a certificate of newer firmware', extension('3.3', integer(25))],
  ['certificate-tcb', 'a certificate of older microcode', extension('3.8', integer(209))],
  ['certificate-tcb', 'another FMC on Turin', { product: 'turin', ...extension('3.9', integer(4)) }],
  ['certificate-tcb', 'a report of older firmware', edited((report) => flip(report, AT.reportedTcb + 6))],
  ['chip-id', 'the certificate of another chip', extension('4', new Uint8Array(64).fill(9))],
  ['chip-id', 'wrapped, of another chip', extension('4', octets(new Uint8Array(64).fill(9)))],
  ['chip-id', 'a longer name on Turin', { product: 'turin', edit: (report) => flip(report, AT.chipId + 8) }],
  ['report-signature', 'signed by another key', { reportKey: createTestKey('p384', 'other') }],
  ...[AT.reportData, AT.measurement, AT.hostData, AT.idKey, AT.signature + 1, AT.signature + 73].map(
    (at): Cheat => [
      'report-signature',
      `byte ${at} changed afterwards`,
      {
        forge: (report) => {
          flip(report, at)
          return report
        },
      },
    ],
  ),
  ['report-signature', 'r and s are zero', { forge: (report) => report.fill(0, AT.signature) }],
  ['debug', 'the host may debug the guest', policyBits(0xb_0000n)],
]

const POLICY: readonly Cheat[] = [
  ['migration-agent', 'may be given one', policyBits(0x7_0000n)],
  ['migration-agent', 'has one', edited((report) => flip(report, AT.migrationAgent))],
  ['vmpl', 'not the most privileged', edited((report) => writeUint32(report, AT.vmpl, 2))],
  [
    'vmpl',
    'the host asked, and any level is allowed',
    { policy: { allow: ['any-vmpl'] }, edit: (report) => writeUint32(report, AT.vmpl, HOST_VMPL) },
  ],
  ['smt', 'allowed by the guest', { policy: { forbid: ['smt'] }, edit: (report) => flip(report, AT.platform) }],
  ['smt', 'on', { policy: { forbid: ['smt'] }, ...policyBits(0x2_0000n) }],
  ['vlek', 'the key of a cloud', { key: 'vlek', policy: { forbid: ['vlek'] } }],
  [
    'alias-check',
    'not made',
    { policy: { forbid: ['unchecked-aliases'] }, edit: (report) => flip(report, AT.platform, 0x20) },
  ],
  ['guest-svn', 'too low', { policy: { minimum: { guestsvn: 8 } } }],
  ['reported-tcb', 'reported below the floor', floor('snp', 24, AT.reportedTcb + 6, { suffix: '3.3', value: 23 })],
  ['committed-tcb', 'committed below the floor', floor('snp', 24, AT.committedTcb + 6)],
  ['launch-tcb', 'launched below the floor', floor('microcode', 210, AT.launchTcb + 7)],
  ['firmware', 'an older build', { policy: { minimum: { fwmajor: 1, fwminor: 55, fwbuild: 30 } } }],
  ['firmware', 'an older minor version', { policy: { minimum: { fwmajor: 1, fwminor: 56, fwbuild: 1 } } }],
  ['firmware', 'an older major version', { policy: { minimum: { fwmajor: 2 } } }],
  ['measurement', 'other code', edited((report) => flip(report, AT.measurement))],
  [
    'host-data',
    'other data',
    { policy: { measurements: { measurement: ['5a'.repeat(48)], hostdata: ['00'.repeat(32)] } } },
  ],
  ['id-key', 'another key', { policy: { signers: { idkeydigest: ['11'.repeat(48)] } } }],
  ['id-key', 'none, and the policy names zeros', noSigner('idkeydigest', AT.idKey)],
  ['author-key', 'another key', { policy: { signers: { authorkeydigest: ['11'.repeat(48)] } } }],
  ['author-key', 'none, and the policy names zeros', noSigner('authorkeydigest', AT.authorKey)],
  [
    'author-key',
    'a digest that the report says is none',
    { policy: { signers: { authorkeydigest: ['8d'.repeat(48)] } }, edit: (report) => flip(report, AT.key) },
  ],
]

/** A version one below what the policy asks for; with the certificate to match where the check before would find it. */
function floor(
  component: string,
  least: number,
  at: number,
  certificate?: { suffix: string; value: number },
): SnpOptions {
  return {
    policy: { minimum: { [component]: least } },
    edit: (report) => {
      report[at] = least - 1
    },
    ...(certificate && extension(certificate.suffix, integer(certificate.value))),
  }
}

function noSigner(name: string, at: number): SnpOptions {
  return {
    policy: { signers: { [name]: ['00'.repeat(48)] } },
    edit: (report) => {
      report.fill(0, at, at + 48)
    },
  }
}

export const SNP_CHEATS: readonly Cheat[] = [...FORMAT, ...SIGNER, ...CHAIN, ...REVOCATION, ...REPORT, ...POLICY]

/** Unusual, and sound. */
export const SNP_SOUND: readonly (readonly [what: string, options: SnpOptions])[] = [
  ['Milan, version 2', { version: 2 }],
  ['Milan, version 3', {}],
  ['Milan, version 4, as clouds have it', { version: 4 }],
  ['Genoa, version 5', { version: 5, product: 'genoa' }],
  ['Siena', { product: 'genoa', edit: (report) => report.set([0x19, 0xa0], AT.cpuid) }],
  ['Turin, version 5', { version: 5, product: 'turin' }],
  [
    'Turin, with safe writes of the IOMMU',
    { version: 5, product: 'turin', edit: (report) => flip(report, AT.platform, 0x40) },
  ],
  ['vectors of mitigations', { version: 5, edit: (report) => report.fill(1, 0x1f8, 0x208) }],
  ['a VLEK', { key: 'vlek' }],
  ['Siena by its certificate', { product: 'genoa', ...extension('2', EXTENSION_VALUES.siena) }],
  ['another stepping', extension('2', EXTENSION_VALUES.milanB9)],
  ['a chip named as DER wants it', extension('4', octets(hardwareId('milan')))],
  ['a masked chip', edited((report) => report.fill(0, AT.chipId, AT.chipId + 64))],
  ['no revocation list', { lists: [] }],
  ['an old list beside a current one', { lists: [{ nextUpdateMs: TEST_AT_MS - DAY_MS }, {}] }],
  ['a list that revokes another', { lists: [{ revoked: [{ serial: '010002' }] }] }],
  ['bytes after the report', { forge: (report) => concat(report, utf8('more')) }],
  ['a migration agent that the policy allows', { policy: { allow: ['migration'] }, ...policyBits(0x7_0000n) }],
  [
    'another level that the policy allows',
    { policy: { allow: ['any-vmpl'] }, edit: (report) => writeUint32(report, AT.vmpl, 1) },
  ],
  ['everything that a policy can ask for', everythingAsked()],
  [
    'what cannot be read beside it',
    { collateral: (those) => [{ kind: 'certificate', content: utf8('no') }, ...those] },
  ],
  ['an impostor of the intermediate before it', { collateral: (those) => [impostor(), ...those] }],
]

function everythingAsked(): SnpOptions {
  return {
    policy: {
      measurements: { measurement: ['00'.repeat(48), '5a'.repeat(48)], hostdata: ['6b'.repeat(32)] },
      signers: { idkeydigest: ['7c'.repeat(48)], authorkeydigest: ['8d'.repeat(48)] },
      minimum: {
        ...{ fmc: 3, bootloader: 4, tee: 1, snp: 24, microcode: 210, guestsvn: 7 },
        ...{ fwmajor: 1, fwminor: 55, fwbuild: 29 },
      },
      forbid: ['smt', 'vlek', 'unchecked-aliases', 'unchecked-revocation'],
    },
    product: 'turin',
    edit: (report) => {
      writeUint64(report, AT.policy, 0x2_0000n)
      writeUint64(report, AT.platform, 0x24n)
    },
  }
}

/** A certificate of the intermediate's name that the root never issued. */
function impostor(): { readonly kind: 'certificate'; readonly content: Uint8Array } {
  const key = createTestKey('p384', 'impostor')
  return {
    kind: 'certificate',
    content: issue({ subject: 'SEV-Milan', issuer: 'ARK-Milan', key, signer: key, isCa: true }),
  }
}
