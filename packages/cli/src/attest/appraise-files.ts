/** Files in, appraisal out: what `attest verify` and `attest explain` share. */
import {
  type Appraisal,
  appraiseEvidence,
  type CollateralBundle,
  CountersignError,
  collateralAlong,
  createMemory,
  EVENT_LOG_FORMATS,
  EVIDENCE_KINDS,
  type EvidenceItem,
  type EvidenceKind,
  importCollateral,
  type PlacePolicy,
  PROFILE_NAMES,
  type ProfileName,
  parseHex,
  parseYaml,
  quote,
  readClaimedMeasurements,
  readPlacePolicy,
  type UnverifiedEvidence,
  type UnverifiedMeasurements,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { readInput } from '../files.ts'
import { readFrom } from '../named-file.ts'
import { readTime } from '../time-option.ts'
import { isRecord, parseJsonText, readEvidence } from './evidence-input.ts'

export interface AppraiseOptions {
  readonly kind?: string
  readonly collateral?: readonly string[]
  readonly policy?: string
  readonly nonce?: string
  readonly at?: string
  readonly eventLog?: string
  readonly profile?: string
  readonly beside?: string
}

/** What one piece of evidence says was measured, where no signature shows that it was. */
export interface Claimed {
  readonly kind: EvidenceKind
  readonly measurements: UnverifiedMeasurements
}

export interface AppraisedFile {
  readonly appraisal: Appraisal
  /** For people alone: no part of the appraisal. */
  readonly claimed: readonly Claimed[]
}

/** Appraises one file. @throws {CountersignError} for bad usage and files that cannot be read */
export function appraiseFile(file: string, options: AppraiseOptions): AppraisedFile {
  const kind = options.kind === undefined ? undefined : oneOf('--kind', options.kind, EVIDENCE_KINDS)
  const profile = options.profile === undefined ? undefined : oneOf('--profile', options.profile, PROFILE_NAMES)
  const given = readCollateralFiles(options.collateral ?? [])
  const read = readFrom(file, (content) => readEvidence(content, { kind, collateral: given }, profile))
  const evidence = completed(read.evidence, options, profile)
  const appraisal = appraiseEvidence(evidence, {
    crypto: createNodeCrypto(),
    atMs: readTime(options.at),
    collateral: { items: [...read.collateral.items, ...collateralAlong(evidence), ...given.items] },
    policy: readPolicy(options.policy),
    nonce: options.nonce === undefined ? undefined : readNonce(options.nonce),
    memory: createMemory(),
  })
  return { appraisal, claimed: claimedBeyond(appraisal, evidence) }
}

/** Of items whose measurements are not shown. */
function claimedBeyond({ items }: Appraisal, evidence: UnverifiedEvidence): readonly Claimed[] {
  const isShown = (i: number) => Object.keys(items[i]?.measurements ?? {}).length > 0
  return evidence.items
    .map((item, i) => ({ kind: item.kind, measurements: isShown(i) ? {} : readClaimedMeasurements(item) }))
    .filter(({ measurements }) => Object.keys(measurements).length > 0)
}

/** What was asked, for whoever says what to do next. */
export function askedWith({ collateral, at, policy }: AppraiseOptions) {
  return { hasCollateral: collateral !== undefined, hasTime: at !== undefined, hasPolicy: policy !== undefined }
}

/** All files as one bundle. @throws {CountersignError} `file/unreadable`, and what reading them throws */
export function readCollateralFiles(paths: readonly string[]): CollateralBundle {
  return { items: paths.flatMap((path) => readFrom(path, importCollateral)) }
}

/** The policy of a YAML or JSON file. @throws {CountersignError} `place-policy/*`, `yaml/malformed`, `shape/*` */
export function readPolicy(path: string | undefined): PlacePolicy | undefined {
  if (path === undefined) return undefined
  return readFrom(path, (content) => readPlacePolicy(parseYaml(content), 'policy'))
}

function readNonce(text: string): Uint8Array {
  if (/^([0-9a-f]{2})+$/i.test(text)) return parseHex(text.toLowerCase())
  throw new CountersignError('usage/invalid', `--nonce: ${quote(text)} is not hexadecimal: two digits for each byte`)
}

/** What evidence that came bare has beside it. */
function completed(
  evidence: UnverifiedEvidence,
  { eventLog, beside }: AppraiseOptions,
  profile: ProfileName | undefined,
): UnverifiedEvidence {
  const [first, ...rest] = evidence.items
  const withLog = eventLog === undefined || first === undefined ? first : { ...first, eventLog: readLog(eventLog) }
  return {
    ...evidence,
    items: withLog === undefined ? [] : [withLog, ...rest],
    ...(profile === undefined ? {} : { profile }),
    ...(beside === undefined ? {} : { beside: readBeside(beside) }),
  }
}

function readLog(path: string): NonNullable<EvidenceItem['eventLog']> {
  const content = readInput(path)
  const [dstack, ccel] = EVENT_LOG_FORMATS
  return { format: parseJsonText(content) === undefined ? ccel : dstack, content }
}

function readBeside(path: string): UnverifiedEvidence['beside'] {
  const value = parseJsonText(readInput(path))
  if (isRecord(value)) return value
  throw new CountersignError('usage/invalid', `--beside: ${path} is not a JSON object`)
}

function oneOf<T extends string>(option: string, text: string, known: readonly T[]): T {
  const found = known.find((each) => each === text)
  if (found !== undefined) return found
  throw new CountersignError('usage/invalid', `${option}: ${quote(text)} is none of ${known.join(', ')}`)
}
