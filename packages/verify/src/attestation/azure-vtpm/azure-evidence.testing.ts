/** Virtual TPMs that never were: sound ones on SEV-SNP, and every way in which one can be wrong. */
import { toBase64Url } from '../../bytes/base64.ts'
import { concat, parseHex, toHex, utf8 } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import { createNodeCrypto } from '../../crypto/node-provider.ts'
import type { AppraisalInput } from '../appraised.ts'
import type { EvidenceItem, UnverifiedEvidence } from '../evidence-file.ts'
import { type PlacePolicy, readPlacePolicy } from '../place-policy.ts'
import { AT, MEASUREMENT, type SnpOptions, snpEvidence } from '../sev-snp/sev-snp-evidence.testing.ts'
import { createTestKey, type TestKey } from '../x509/pki.testing.ts'
import { type AzureEvidence, formatAzureEvidence } from './azure-evidence.ts'
import { HEADER_BYTES } from './hcl-report.ts'

const crypto = createNodeCrypto()

export const NONCE = /* @__PURE__ */ utf8('a challenge of our own')

/** All that a test may have otherwise. */
export interface AzureOptions {
  /** The hardware; the report data of its report follows from the runtime data unless `edit` writes it. */
  readonly snp?: SnpOptions
  /** Changes the runtime data before they are hashed. */
  readonly runtime?: (data: { [name: string]: Json }) => Json
  /** The text of the runtime data; in place of that. */
  readonly runtimeText?: string
  /** Changes the HCL report when it is whole. */
  readonly hcl?: (report: Uint8Array) => Uint8Array
  readonly quote?: Partial<QuoteOptions>
  /** Changes the quote before it is signed, and after. */
  readonly message?: (message: Uint8Array) => Uint8Array
  readonly forgeMessage?: (message: Uint8Array) => Uint8Array
  readonly signature?: (signature: Uint8Array) => Uint8Array
  readonly attestationKey?: TestKey
  /** Changes the values that are handed over. */
  readonly registers?: (values: Map<number, Uint8Array>) => void
  readonly hardwareQuote?: Uint8Array
  /** Changes the text of the content. */
  readonly content?: (text: string) => string
  readonly nonce?: Uint8Array | null
  /** Members of the policy besides what sound evidence needs; `null` for none. */
  readonly policy?: { readonly [name: string]: Json } | null
}

export interface QuoteOptions {
  readonly extraData: Uint8Array
  /** Numbers of the registers that are quoted. */
  readonly selection: readonly number[]
  readonly hash: number
  readonly banks: number
}

export interface BuiltAzureEvidence {
  readonly item: EvidenceItem
  readonly input: AppraisalInput
}

/** The value of a register in sound evidence. */
export function registerValue(register: number): Uint8Array {
  return crypto.sha256(utf8(`register ${register}`))
}

/** A sound virtual TPM unless told otherwise, with all that its appraisal needs. */
export function azureEvidence(options: AzureOptions = {}): BuiltAzureEvidence {
  const attestationKey = createTestKey('rsa2048')
  const runtimeData = utf8(options.runtimeText ?? JSON.stringify(runtimeOf(options, attestationKey)))
  const snp = snpEvidence({
    ...options.snp,
    edit: (report) => {
      report.fill(0, AT.reportData, AT.reportData + 64)
      report.set(crypto.sha256(runtimeData), AT.reportData)
      options.snp?.edit?.(report)
    },
  })
  const report = hclReport(snp.item.content, runtimeData, 2)
  const evidence: AzureEvidence = {
    hclReport: options.hcl?.(report) ?? report,
    quote: tpmQuote(options, options.attestationKey ?? attestationKey),
    hardwareQuote: options.hardwareQuote,
  }
  const text = Buffer.from(formatAzureEvidence(evidence)).toString('utf8')
  return {
    item: { kind: 'azure-vtpm', content: utf8(options.content?.(text) ?? text) },
    input: {
      ...snp.input,
      nonce: options.nonce === null ? undefined : (options.nonce ?? NONCE),
      policy: options.policy === null ? undefined : azurePolicy(options.policy),
    },
  }
}

/** A policy that names the paravisor and one register of sound evidence, and what `more` says. */
export function azurePolicy(more: { readonly [name: string]: Json } = {}): PlacePolicy {
  const measurements = { measurement: [MEASUREMENT], pcr0: [toHex(registerValue(0))] }
  return readPlacePolicy({ tee: 'azure-vtpm', measurements, ...more }, 'policy')
}

/** The runtime data of a key. */
export function runtimeOf({ runtime }: AzureOptions, { publicKey }: TestKey): Json {
  if (publicKey.kind !== 'rsa') throw new Error('the key of a TPM is RSA here')
  const [n, e] = [toBase64Url(publicKey.modulus), toBase64Url(publicKey.exponent)]
  const data: { [name: string]: Json } = {
    keys: [
      { kid: 'HCLAkPub', key_ops: ['sign'], kty: 'RSA', e, n },
      { kid: 'HCLEkPub', key_ops: ['encrypt'], kty: 'RSA', e, n },
    ],
    'vm-configuration': { 'secure-boot': true, 'tpm-enabled': true },
    'user-data': '00'.repeat(64),
  }
  return runtime?.(data) ?? data
}

/** A whole report, as long as real ones are. */
export function hclReport(hardwareReport: Uint8Array, runtimeData: Uint8Array, type: number): Uint8Array {
  const at = HEADER_BYTES + 1184
  const bytes = new Uint8Array(Math.max(2600, at + 20 + runtimeData.length))
  const view = new DataView(bytes.buffer)
  bytes.set(utf8('HCLA'))
  for (const [place, value] of [
    ...[[4, 1] as const, [8, at + 20 + runtimeData.length] as const, [12, 2] as const],
    ...[[at, 20 + runtimeData.length] as const, [at + 4, 1] as const, [at + 8, type] as const],
    ...[[at + 12, 1] as const, [at + 16, runtimeData.length] as const],
  ]) {
    view.setUint32(place, value, true)
  }
  bytes.set(hardwareReport.subarray(0, 1184), HEADER_BYTES)
  bytes.set(runtimeData, at + 20)
  return bytes
}

/** A quote of the TPM, and its registers. */
export function tpmQuote(options: AzureOptions, key: TestKey): AzureEvidence['quote'] {
  const selection = options.quote?.selection ?? Array.from({ length: 24 }, (_, i) => i)
  const registers = new Map(selection.map((register) => [register, registerValue(register)]))
  const plain = quoteMessage({ extraData: NONCE, selection, hash: 11, banks: 1, ...options.quote })
  const message = options.message?.(plain) ?? plain
  const signature = key.sign('rsa-pkcs1-sha256', message)
  options.registers?.(registers)
  return {
    message: options.forgeMessage?.(message) ?? message,
    signature: options.signature?.(signature) ?? signature,
    registers,
  }
}

function quoteMessage({ extraData, selection, hash, banks }: QuoteOptions): Uint8Array {
  const bits = new Uint8Array(3)
  for (const register of selection) bits[register >> 3] = (bits[register >> 3] ?? 0) | (1 << (register & 7))
  const digest = crypto.sha256(...selection.map(registerValue))
  return concat(
    parseHex('ff5443478018'),
    sized(concat(parseHex('000b'), crypto.sha256(utf8('signer')))),
    sized(extraData),
    // Clock, resets, restarts, safe; firmware.
    parseHex('0000000000abcdef0000000200000000012020031200120003'),
    number(banks, 4),
    number(hash, 2),
    number(3, 1),
    bits,
    sized(digest),
  )
}

/** A TPMT_SIGNATURE. */
export function tpmtSignature(signature: Uint8Array, algorithm = 0x14, hash = 0x0b): Uint8Array {
  return concat(number(algorithm, 2), number(hash, 2), sized(signature))
}

function sized(bytes: Uint8Array): Uint8Array {
  return concat(number(bytes.length, 2), bytes)
}

function number(value: number, length: number): Uint8Array {
  return parseHex(value.toString(16).padStart(length * 2, '0'))
}

/** Sound evidence as a whole evidence file has it, and its appraisal's input: to be timed. */
export function azureToTime(): { readonly evidence: UnverifiedEvidence; readonly input: AppraisalInput } {
  const { item, input } = azureEvidence()
  return { evidence: { profile: 'none', items: [item], nonce: NONCE, beside: {} }, input }
}
