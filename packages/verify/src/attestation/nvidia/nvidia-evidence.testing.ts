/** Reports of GPUs of a PKI of our own, whole or with one thing wrong. */
import { concat, parseHex, utf8 } from '../../bytes/bytes.ts'
import { createNodeCrypto } from '../../crypto/node-provider.ts'
import type { AppraisalInput } from '../appraised.ts'
import type { EvidenceItem } from '../evidence-file.ts'
import { VENDOR_ROOTS } from '../roots.ts'
import { der, integer, octets, oid, sequence, text } from '../x509/der-writer.testing.ts'
import {
  type ChainLink,
  createTestKey,
  issueChain,
  pemOf,
  pinOf,
  TEST_AT_MS,
  type TestExtension,
  type TestKey,
} from '../x509/pki.testing.ts'
import { nvidiaItem } from './nvidia-item.ts'

export const GPU_NONCE = parseHex('c0'.repeat(32))
export const GPU_FIRMWARE = parseHex('f1'.repeat(48))

/** Alternative name of a device. */
export function deviceName(device: string): TestExtension {
  const name = sequence(der(0xa0, oid('1.3.6.1.4.1.412.274.1'), der(0xa0, text(`NVIDIA:${device}`))))
  return { oid: '2.5.29.17', value: name }
}

const digest = (firmware: Uint8Array) => sequence(oid('2.16.840.1.101.3.4.2.2'), octets(firmware))

/** Firmware as Hopper names it. */
export function hopperFirmware(key: TestKey, firmware = GPU_FIRMWARE): TestExtension {
  return { oid: '2.23.133.5.4.1', value: sequence(integer(1), key.spki, digest(firmware)) }
}

/** Firmware as Blackwell names it, with a second digest that is zero, and flags. */
export function blackwellFirmware(firmware = GPU_FIRMWARE, flags = 0x80): TestExtension {
  const digests = der(0xa6, digest(firmware), digest(new Uint8Array(48)))
  const value = sequence(der(0x80, utf8('NVIDIA')), digests, der(0x87, Uint8Array.of(0, flags, 0, 0, 1)))
  return { oid: '2.23.133.5.4.1.1', value }
}

export type GpuRole = 'root' | 'family' | 'provisioner' | 'device' | 'leaf'
export type GpuChainChanges = { readonly [role in GpuRole]?: Partial<ChainLink> }

export interface GpuChanges {
  /** Which GPU: its keys and its name follow from it. */
  readonly device?: number
  readonly arch?: string
  readonly isBlackwell?: boolean
  readonly isSwitch?: boolean
  readonly chain?: GpuChainChanges
  readonly signer?: TestKey
  /** Instead of name and firmware. */
  readonly extensions?: readonly TestExtension[]
  readonly nonce?: Uint8Array
  /** Instead of all opaque fields. */
  readonly opaque?: readonly (readonly [type: number, value: Uint8Array])[]
  /** Changes to what is signed. */
  readonly signed?: (good: Uint8Array) => Uint8Array
  readonly signature?: (good: Uint8Array) => Uint8Array
}

const little = (value: number, length: number) => Uint8Array.from({ length }, (_, i) => (value >> (8 * i)) & 0xff)

export const OPAQUE_FIELDS: readonly (readonly [type: number, value: Uint8Array])[] = [
  [6, parseHex('00a5009601000000')],
  [3, utf8('590.12\0')],
  [17, utf8('G520\0')],
  [20, GPU_FIRMWARE],
  [99, Uint8Array.of(1)],
]

/** Request and response up to the signature. */
export function spdmMessages({ nonce = GPU_NONCE, opaque = OPAQUE_FIELDS }: GpuChanges = {}): Uint8Array {
  const blocks = [1, 2, 3].map((index) =>
    concat(Uint8Array.of(index, 1), little(51, 2), Uint8Array.of(1), little(48, 2), new Uint8Array(48).fill(index)),
  )
  const record = concat(...blocks)
  const fields = concat(...opaque.flatMap(([type, value]) => [little(type, 2), little(value.length, 2), value]))
  return concat(
    concat(Uint8Array.of(0x11, 0xe0, 1, 0xff), nonce, Uint8Array.of(0)),
    concat(Uint8Array.of(0x11, 0x60, 0, 0, blocks.length), little(record.length, 3), record),
    concat(new Uint8Array(32).fill(9), little(fields.length, 2), fields),
  )
}

const keyOf = (role: string, device: number) => createTestKey('p384', `gpu ${role} ${device}`)

export function gpuChain(changes: GpuChanges = {}): readonly Uint8Array[] {
  const { device = 0, isBlackwell = false, chain = {} } = changes
  const chip = changes.isSwitch === true ? 'LS_10' : isBlackwell ? 'GB100' : 'GH100'
  const serial = `5a${String(device).padStart(2, '0')}`
  const [deviceKey, leafKey] = [keyOf('device', device), keyOf('leaf', device)]
  const name = deviceName(`${chip}:48B02D000000000${device}`)
  const extensions = changes.extensions ?? [name, isBlackwell ? blackwellFirmware() : hopperFirmware(deviceKey)]
  return issueChain(
    { subject: 'NVIDIA Device Identity CA', key: keyOf('root', 0), ...chain.root },
    { subject: `NVIDIA ${chip} Identity`, key: keyOf('family', 0), ...chain.family },
    { subject: `NVIDIA ${chip} Provisioner ICA 1`, key: keyOf('provisioner', 0), ...chain.provisioner },
    { subject: `${chip} A01 GSP BROM ${device}`, key: deviceKey, keyUsage: 0x04, ...chain.device },
    { subject: `${chip} A01 GSP FMC LF`, key: leafKey, serial, extensions, ...chain.leaf },
  )
}

export function makeGpu(changes: GpuChanges = {}): { evidence: Uint8Array; chainPem: string; arch: string } {
  const plain = spdmMessages(changes)
  const signed = changes.signed?.(plain) ?? plain
  const signature = (changes.signer ?? keyOf('leaf', changes.device ?? 0)).signRaw(signed)
  return {
    evidence: concat(signed, changes.signature?.(signature) ?? signature),
    chainPem: pemOf(...gpuChain(changes)),
    arch: changes.arch ?? (changes.isSwitch === true ? 'LS10' : changes.isBlackwell === true ? 'BLACKWELL' : 'HOPPER'),
  }
}

export function gpuInput(changes: Partial<AppraisalInput> = {}): AppraisalInput {
  const root = gpuChain().at(-1) ?? new Uint8Array(0)
  return {
    ...{ crypto: createNodeCrypto(), atMs: TEST_AT_MS, collateral: { items: [] }, policy: undefined },
    ...{ nonce: GPU_NONCE, memory: undefined, roots: { ...VENDOR_ROOTS, nvidia: [pinOf(root)] }, ...changes },
  }
}

export function gpuItem(...gpus: readonly ReturnType<typeof makeGpu>[]): EvidenceItem {
  return { kind: 'nvidia-spdm', content: nvidiaItem(gpus) }
}
