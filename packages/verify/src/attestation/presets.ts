/** Presets of a place policy: what a cloud does otherwise than the makers of the hardware advise, and why that is so. */
import { CountersignError, quote } from '../errors.ts'
import type { TeeKind } from './vocabulary.ts'

interface Preset {
  readonly name: string
  readonly tees: readonly TeeKind[]
  readonly allow: readonly string[]
  readonly reason: string
}

export const PRESETS = [
  {
    name: 'azure',
    tees: ['tdx', 'azure-vtpm'],
    allow: ['sept-ve'],
    reason:
      'Azure runs its paravisor in the trust domain and leaves SEPT_VE_DISABLE off: faults on pages that the host took away are handled by the paravisor',
  },
] as const satisfies readonly Preset[]

export type PresetName = (typeof PRESETS)[number]['name']

/** @throws {CountersignError} `place-policy/malformed` */
export function findPreset(tee: TeeKind, name: string): Preset & { readonly name: PresetName } {
  const preset = PRESETS.find((each) => each.name === name && (each.tees as readonly TeeKind[]).includes(tee))
  if (preset !== undefined) return preset
  throw new CountersignError('place-policy/malformed', `${quote(name)} is no preset for ${tee}`)
}
