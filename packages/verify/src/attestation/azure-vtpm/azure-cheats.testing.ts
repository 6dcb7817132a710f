/** What is wrong with evidence of a virtual TPM, by the check that finds it: in each case that one alone. */
import { concat, toHex, utf8 } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import {
  AT,
  flip,
  ID_KEY_DIGEST,
  MEASUREMENT,
  REPORT_DATA,
  writeUint32,
  writeUint64,
} from '../sev-snp/sev-snp-evidence.testing.ts'
import { createTestKey } from '../x509/pki.testing.ts'
import { type AzureOptions, NONCE, registerValue, tpmtSignature } from './azure-evidence.testing.ts'

export type AzureCheat = readonly [check: string, what: string, options: AzureOptions]

type Data = { [name: string]: Json }

const changed = (bytes: Uint8Array, at: number, mask = 1): Uint8Array => {
  const copy = bytes.slice()
  flip(copy, at, mask)
  return copy
}
const hclByte = (at: number, mask = 1): AzureOptions => ({ hcl: (report) => changed(report, at, mask) })
const messageByte = (at: number, mask = 1): AzureOptions => ({ message: (message) => changed(message, at, mask) })
const keysOf = (data: Data): readonly Data[] => data.keys as readonly Data[]
const withKey = (data: Data, more: Data): Json => ({
  ...data,
  keys: keysOf(data).map((key) => (key.kid === 'HCLAkPub' ? { ...key, ...more } : key)),
})
const PCR0 = [toHex(registerValue(0))]

/** Where the header of the runtime data begins. */
const RUNTIME_AT = 32 + 1184

const FORMAT: readonly AzureCheat[] = [
  ['format', 'no JSON', { content: (text) => text.slice(1) }],
  ['format', 'an unknown member', { content: (text) => text.replace('{', '{"more":1,') }],
  ['format', 'another bank', { content: (text) => text.replace('"sha256"', '"sha1"') }],
  ['format', 'no registers', { content: (text) => text.replace('"pcrs"', '"pcr"') }],
  ['format', 'a register 24', { content: (text) => text.replace('"23":', '"24":') }],
  ['format', 'a register named twice over', { content: (text) => text.replace('"7":', '"07":') }],
  ['format', 'a short value', { content: (text) => text.replace(toHex(registerValue(3)), 'abcd') }],
  ['format', 'base64 without padding', { content: (text) => text.replace(/=+"/, '"') }],
  ['format', 'a quote of TDX beside SEV-SNP', { hardwareQuote: utf8('quote') }],
  ['format', 'another magic', hclByte(0)],
  ['format', 'an unknown version', hclByte(4, 8)],
  ['format', 'another length', hclByte(8)],
  ['format', 'no request for a report', hclByte(12)],
  ['format', 'a status', hclByte(16)],
  ['format', 'reserved bytes', hclByte(31)],
  ['format', 'another length of the runtime data', hclByte(RUNTIME_AT)],
  ['format', 'an unknown version of the runtime data', hclByte(RUNTIME_AT + 4, 2)],
  ['format', 'an unknown type of report', hclByte(RUNTIME_AT + 8)],
  ['format', 'another hash', hclByte(RUNTIME_AT + 12, 3)],
  ['format', 'runtime data longer than all', hclByte(RUNTIME_AT + 18)],
  ['format', 'bytes at the end', { hcl: (report) => changed(report, report.length - 1) }],
  ['format', 'cut off', { hcl: (report) => report.subarray(0, 1300) }],
  ['format', 'far too long', { hcl: (report) => concat(report, new Uint8Array(70_000)) }],
]

/** All but the reported TCB, whose SNP version is 24. */
function raiseOtherTcb(report: Uint8Array): void {
  for (const at of [AT.committedTcb, AT.launchTcb]) report[at + 6] = 25
}

const HARDWARE: readonly AzureCheat[] = [
  [
    'sev-snp/chain',
    'an unknown root',
    { snp: { roots: () => ({ intel: [], nitro: [], nvidia: [], amd: { milan: [], genoa: [], turin: [] } }) } },
  ],
  ['sev-snp/report-signature', 'signed by another', { snp: { reportKey: createTestKey('p384', 'other') } }],
  ['sev-snp/debug', 'the host may debug it', { snp: { edit: (report) => writeUint64(report, AT.policy, 0xb_0000n) } }],
  ['sev-snp/measurement', 'another paravisor', { snp: { edit: (report) => flip(report, AT.measurement) } }],
  [
    'sev-snp/id-key',
    'a paravisor of somebody else',
    { policy: { measurements: { pcr0: PCR0 }, signers: { idkeydigest: ['11'.repeat(48)] } } },
  ],
  ['sev-snp/reported-tcb', 'older firmware', { policy: { minimum: { snp: 25 } }, snp: { edit: raiseOtherTcb } }],
]

const BINDING: readonly AzureCheat[] = [
  ['privilege-level', 'the guest asked for the report', { snp: { edit: (report) => writeUint32(report, AT.vmpl, 2) } }],
  ['sev-snp/format', 'a report of another version', { snp: { edit: (report) => writeUint32(report, AT.version, 9) } }],
  [
    'hcl-binding',
    'other runtime data',
    {
      hcl: (report) => changed(report, RUNTIME_AT + 50, 2),
    },
  ],
  ['hcl-binding', 'a hash of something else', { snp: { edit: (report) => report.set(REPORT_DATA, AT.reportData) } }],
  ['hcl-binding', 'more in the report data', { snp: { edit: (report) => flip(report, AT.reportData + 40) } }],
  ['attestation-key', 'no JSON', { runtimeText: '{"keys":[' }],
  ['attestation-key', 'a key twice', { runtimeText: '{"keys":[],"keys":[]}' }],
  ['attestation-key', 'no keys', { runtime: ({ keys: _, ...data }) => data }],
  ['attestation-key', 'no key of the TPM', { runtime: (data) => withKey(data, { kid: 'HCLOther' }) }],
  [
    'attestation-key',
    'two keys of the TPM',
    { runtime: (data) => ({ ...data, keys: [...keysOf(data), ...keysOf(data)] }) },
  ],
  ['attestation-key', 'not RSA', { runtime: (data) => withKey(data, { kty: 'EC' }) }],
  ['attestation-key', 'too short', { runtime: (data) => withKey(data, { n: 'AQAB' }) }],
  [
    'attestation-key',
    'zeros before the modulus',
    { runtime: (data) => withKey(data, { n: `AAAA${keysOf(data)[0]?.n}` }) },
  ],
  ['attestation-key', 'no exponent', { runtime: (data) => withKey(data, { e: '' }) }],
  [
    'attestation-key',
    'secure boot is no answer',
    { runtime: (data) => ({ ...data, 'vm-configuration': { 'secure-boot': 'yes' } }) },
  ],
]

const QUOTE: readonly AzureCheat[] = [
  ['tpm-quote', 'not made by a TPM', messageByte(0)],
  ['tpm-quote', 'about a key', messageByte(5, 0x0f)],
  ['tpm-quote', 'a flag of 3', messageByte(messageFlagAt(), 2)],
  ['tpm-quote', 'another bank', { quote: { hash: 4 } }],
  ['tpm-quote', 'two banks', { quote: { banks: 2 } }],
  ['tpm-quote', 'no register', { quote: { selection: [] } }],
  ['tpm-quote', 'cut off', { message: (message) => message.subarray(0, -1) }],
  ['tpm-quote', 'bytes left over', { message: (message) => concat(message, Uint8Array.of(0)) }],
  ['tpm-quote', 'a digest of no length', { message: (message) => concat(message.subarray(0, -34), new Uint8Array(2)) }],
  ['tpm-signature', 'another key', { attestationKey: createTestKey('rsa2048', 'other') }],
  ['tpm-signature', 'another challenge put in', { forgeMessage: (message) => changed(message, 45) }],
  ['tpm-signature', 'other registers put in', { forgeMessage: (message) => changed(message, message.length - 1) }],
  ['tpm-signature', 'changed', { signature: (signature) => changed(signature, 200) }],
  ['tpm-signature', 'empty', { signature: () => new Uint8Array(0) }],
  ['tpm-signature', 'said to be PSS', { signature: (signature) => tpmtSignature(signature, 0x16) }],
  ['tpm-signature', 'said to be over SHA-1', { signature: (signature) => tpmtSignature(signature, 0x14, 4) }],
  [
    'tpm-signature',
    'bytes left over',
    { signature: (signature) => concat(tpmtSignature(signature), Uint8Array.of(0)) },
  ],
  ['pcr-digest', 'another value', { registers: (values) => values.set(5, registerValue(6)) }],
  ['pcr-digest', 'a value is missing', { registers: (values) => values.delete(23) }],
  [
    'pcr-digest',
    'a value that was not quoted',
    { quote: { selection: [0, 1, 2] }, registers: (values) => values.set(3, registerValue(3)) },
  ],
  ['nonce', 'another challenge', { nonce: utf8('another') }],
  ['nonce', 'a longer challenge', { nonce: concat(NONCE, new Uint8Array(1)) }],
  ['nonce', 'no challenge in it', { quote: { extraData: new Uint8Array(0) } }],
]

const POLICY: readonly AzureCheat[] = [
  ['paravisor', 'one of TDX is named', { policy: { measurements: { mrtd: ['00'.repeat(48)], pcr0: PCR0 } } }],
  ['pcrs', 'another value', { policy: { measurements: { measurement: [MEASUREMENT], pcr0: ['99'.repeat(32)] } } }],
  [
    'pcrs',
    'one of two differs',
    { policy: { measurements: { measurement: [MEASUREMENT], pcr0: PCR0, pcr9: ['00'.repeat(32)] } } },
  ],
  ['pcrs', 'not quoted', { quote: { selection: [1, 2] } }],
]

/** Where the flag of the clock stands in sound evidence. */
function messageFlagAt(): number {
  return 6 + 2 + 34 + 2 + NONCE.length + 16
}

export const AZURE_CHEATS: readonly AzureCheat[] = [...FORMAT, ...HARDWARE, ...BINDING, ...QUOTE, ...POLICY]

/** Unusual, and sound. */
export const AZURE_SOUND: readonly (readonly [what: string, options: AzureOptions])[] = [
  ['on Milan', {}],
  ['on Genoa, version 5', { snp: { product: 'genoa', version: 5 } }],
  ['version 2 of the HCL report', hclByte(4, 3)],
  ['a signature with its algorithm', { signature: tpmtSignature }],
  ['few registers', { quote: { selection: [0, 4, 7] } }],
  [
    'a padded modulus field and other members',
    { runtime: (data) => ({ ...(withKey(data, { more: 1 }) as Data), more: { a: [] } }) },
  ],
  ['without a configuration', { runtime: ({ 'vm-configuration': _, ...data }) => data }],
  [
    'a paravisor by its ID key',
    {
      policy: {
        measurements: { pcr0: PCR0, pcr7: [toHex(registerValue(7))] },
        signers: { idkeydigest: [ID_KEY_DIGEST] },
      },
    },
  ],
  ['nobody challenges it', { nonce: null }],
]
