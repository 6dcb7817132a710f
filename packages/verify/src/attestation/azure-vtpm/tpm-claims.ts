/** What a virtual TPM and its hardware say, for people and programs, in EAT claim names where there are such. @spec RFC 9711 §4 */
import { toHex } from '../../bytes/bytes.ts'
import type { Json } from '../../bytes/json.ts'
import type { Appraised } from '../appraised.ts'
import type { RuntimeData } from './runtime-data.ts'
import type { TpmQuote } from './tpm-quote.ts'

/** Claims of a TPM whose key is bound by the hardware and signed the quote. */
export function claimsOf(data: RuntimeData, quote: TpmQuote, hardware: Appraised): { readonly [name: string]: Json } {
  const { hwmodel = null, dbgstat = null } = hardware.claims
  return {
    hwmodel,
    dbgstat,
    eat_nonce: toHex(quote.extraData),
    submods: { [hardware.kind]: hardware.claims },
    'vm-configuration': data.configuration,
    'user-data': data.userData ?? null,
    'tpm-qualified-signer': toHex(quote.qualifiedSigner),
    'tpm-firmware-version': toHex64(quote.firmwareVersion),
    'tpm-clock-ms': quote.clockMs.toString(),
    'tpm-clock-safe': quote.isClockSafe,
    'tpm-reset-count': quote.resetCount,
    'tpm-restart-count': quote.restartCount,
    'tpm-pcrs-quoted': quote.registers,
  }
}

function toHex64(value: bigint): string {
  return `0x${value.toString(16)}`
}
