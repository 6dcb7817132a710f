/** Changes every byte of evidence, cuts it at every length, adds to it: what comes of it must never pass as genuine. */
import type { AppraisalInput } from './appraised.ts'
import { APPRAISERS } from './appraisers.ts'
import type { EvidenceItem } from './evidence-file.ts'

/** Bytes from `from` up to, not including, `to`, that no signature covers and no check rests on. */
export interface UnsignedRegion {
  readonly from: number
  readonly to: number
  readonly why: string
}

/** Evidence that is genuine as it stands, and how to make an item of its bytes. */
export interface SweptEvidence {
  readonly name: string
  readonly bytes: Uint8Array
  toItem(bytes: Uint8Array): EvidenceItem
  readonly input: AppraisalInput
  readonly unsigned: readonly UnsignedRegion[]
}

export interface SweepReport {
  readonly changes: number
  /** What passed and must not have, or ended in anything but a result. */
  readonly problems: readonly string[]
  readonly slowestMs: number
}

const FLIPS = [0x01, 0x80, 0xff]
const ADDED = [Uint8Array.of(0), Uint8Array.of(0xff), new Uint8Array(64), new Uint8Array(4096).fill(0x41)]

/** Longest time for one change. */
const MAX_MS = 2000

/**
 * Every `step`-th byte, from `start`. With a step of 1 it is everything.
 *
 * @throws {Error} when the evidence is not genuine as it stands: then nothing that follows would show anything
 */
export function sweepEvidence(
  swept: SweptEvidence,
  { step, start = 0 }: { step: number; start?: number },
): SweepReport {
  const { bytes, unsigned } = swept
  if (!isGenuine(swept, bytes)) throw new Error(`${swept.name} is not genuine as it stands`)
  const report = { changes: 0, problems: [] as string[], slowestMs: 0 }
  const mayPass = (at: number) => unsigned.some(({ from, to }) => at >= from && at < to)
  const look = (what: string, changed: Uint8Array, isHarmless: boolean) => {
    report.changes++
    const began = performance.now()
    try {
      if (isGenuine(swept, changed) && !isHarmless) report.problems.push(`${swept.name}: ${what} passes as genuine`)
    } catch (thrown) {
      report.problems.push(`${swept.name}: ${what} ends in ${String(thrown)}`)
    }
    const tookMs = performance.now() - began
    report.slowestMs = Math.max(report.slowestMs, tookMs)
    if (tookMs > MAX_MS) report.problems.push(`${swept.name}: ${what} takes ${Math.round(tookMs)} ms`)
  }
  for (let at = start; at < bytes.length; at += step) {
    for (const flip of FLIPS) {
      const changed = bytes.slice()
      changed[at] = (changed[at] ?? 0) ^ flip
      look(`byte ${at} ^ ${flip}`, changed, mayPass(at))
    }
  }
  for (let length = start; length < bytes.length; length += step) {
    // Where all that is cut away is unsigned, what is left is whole.
    const isWhole = Array.from({ length: bytes.length - length }, (_, i) => length + i).every(mayPass)
    look(`cut to ${length}`, bytes.slice(0, length), isWhole)
  }
  const mayGrow = mayPass(bytes.length)
  for (const added of ADDED) {
    const grown = new Uint8Array(bytes.length + added.length)
    grown.set(bytes)
    grown.set(added, bytes.length)
    look(`with ${added.length} bytes more`, grown, mayGrow)
  }
  return report
}

function isGenuine({ toItem, input }: SweptEvidence, bytes: Uint8Array): boolean {
  const item = toItem(bytes)
  return APPRAISERS[item.kind]?.(item, input).isGenuine === true
}
