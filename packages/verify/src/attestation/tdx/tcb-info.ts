/** Intel's TCB information for TDX: which SVNs of a platform and its TDX modules are in what state. */
import type { Json } from '../../bytes/json.ts'
import { Fields, type Path, readText, ShapeError } from '../../bytes/shape.ts'
import {
  asCollateral,
  type ComponentLevel,
  type ListDates,
  PLATFORM_STATUSES,
  type PlatformStatus,
  parseIntelAnswer,
  readAdvisories,
  readAnyHex,
  readAnyHexText,
  readComponentLevels,
  readListDates,
  readTime,
  type UnverifiedList,
} from './intel-json.ts'

export const SVN_COMPONENTS = 16

/** One level of a platform. Components are SVNs by index. */
export interface PlatformLevel {
  readonly sgxComponents: readonly number[]
  readonly tdxComponents: readonly number[]
  readonly pceSvn: number
  readonly dateMs: number
  readonly status: PlatformStatus
  readonly advisories: readonly string[]
}

/** Who signs a TDX module, and what its attributes are. */
export interface ModuleIdentity {
  readonly mrSigner: Uint8Array
  readonly attributes: Uint8Array
  readonly attributesMask: Uint8Array
}

/** A module by its major version, with levels of its minor ones. */
export interface VersionedModule extends ModuleIdentity {
  readonly majorVersion: number
  readonly levels: readonly ComponentLevel[]
}

export interface TcbInfo extends ListDates {
  readonly fmspc: string
  readonly pceId: string
  /** Of modules whose major version is 0. */
  readonly module: ModuleIdentity
  readonly modules: readonly VersionedModule[]
  readonly levels: readonly PlatformLevel[]
}

/** TCB information, read and not verified. `undefined` in place of the information where it is for SGX. */
export interface UnverifiedTcbInfo extends UnverifiedList {
  readonly info: TcbInfo | undefined
}

const MAX_LEVELS = 64
const MAX_MODULES = 32
const MODULE_NAME = /^TDX_[0-9A-Fa-f]{2}$/

/**
 * Reads an answer `{"tcbInfo":…,"signature":…}`, of version 3. What it says counts once the signature is verified over
 * `signed`, and its dates are looked at. TCB information for SGX has an `info` of `undefined`.
 *
 * @throws {CountersignError} `collateral/malformed`
 */
export function parseTcbInfo(bytes: Uint8Array): UnverifiedTcbInfo {
  return asCollateral('TCB information', () => {
    const list = parseIntelAnswer(bytes, 'tcbInfo')
    const fields = new Fields(list.value, 'tcbInfo')
    return { ...list, info: fields.oneOf('id', ['TDX', 'SGX']) === 'SGX' ? undefined : readTcbInfo(fields) }
  })
}

function readTcbInfo(fields: Fields): TcbInfo {
  fields.integer('version', 3, 3)
  fields.integer('tcbType', 0, 0)
  const info = {
    ...readListDates(fields),
    fmspc: readAnyHexText(fields, 'fmspc', 6),
    pceId: readAnyHexText(fields, 'pceId', 2),
    module: readModule(fields.object('tdxModule')),
    modules: fields.optional('tdxModuleIdentities', () => readModules(fields)) ?? [],
    levels: fields.list('tcbLevels', MAX_LEVELS, readLevel),
  }
  fields.end()
  requireReachable(info.levels, fields.at('tcbLevels'))
  return info
}

function readModule(fields: Fields): ModuleIdentity {
  const module = readModuleFields(fields)
  fields.end()
  return module
}

function readModuleFields(fields: Fields): ModuleIdentity {
  return {
    mrSigner: readAnyHex(fields, 'mrsigner', 48),
    attributes: readAnyHex(fields, 'attributes', 8),
    attributesMask: readAnyHex(fields, 'attributesMask', 8),
  }
}

function readModules(parent: Fields): readonly VersionedModule[] {
  const modules = parent.list('tdxModuleIdentities', MAX_MODULES, (item, path) => {
    const fields = new Fields(item, path)
    const name = fields.text('id', { maxLength: 6, pattern: MODULE_NAME })
    const module = {
      majorVersion: Number.parseInt(name.slice(4), 16),
      ...readModuleFields(fields),
      levels: readComponentLevels(fields),
    }
    fields.end()
    return module
  })
  if (new Set(modules.map(({ majorVersion }) => majorVersion)).size !== modules.length) {
    throw new ShapeError('shape/bad-value', parent.at('tdxModuleIdentities'), 'a module stands there twice')
  }
  return modules
}

function readLevel(item: Json, path: Path): PlatformLevel {
  const fields = new Fields(item, path)
  const tcb = fields.object('tcb')
  const level = {
    sgxComponents: readComponents(tcb, 'sgxtcbcomponents'),
    tdxComponents: readComponents(tcb, 'tdxtcbcomponents'),
    pceSvn: tcb.integer('pcesvn', 0, 65_535),
    dateMs: readTime(fields, 'tcbDate'),
    status: fields.oneOf('tcbStatus', PLATFORM_STATUSES),
    advisories: readAdvisories(fields),
  }
  tcb.end()
  fields.end()
  return level
}

function readComponents(tcb: Fields, name: string): readonly number[] {
  const components = tcb.list(name, SVN_COMPONENTS, (item, path) => {
    const fields = new Fields(item, path)
    const svn = fields.integer('svn', 0, 255)
    // What the component is, for people.
    for (const label of ['category', 'type']) {
      fields.optional(label, () => readText(fields.required(label), fields.at(label), { mayBeEmpty: true }))
    }
    fields.end()
    return svn
  })
  if (components.length === SVN_COMPONENTS) return components
  throw new ShapeError('shape/bad-value', tcb.at(name), `expected ${SVN_COMPONENTS} components`)
}

/**
 * The first level that a platform reaches decides. Intel puts the highest first; where a level stands behind one that it
 * reaches in everything, it could never be met, and the list says something that its maker did not mean.
 */
function requireReachable(levels: readonly PlatformLevel[], path: Path): void {
  for (const [i, later] of levels.entries()) {
    if (levels.slice(0, i).some((earlier) => reaches(later, earlier))) {
      throw new ShapeError('shape/bad-value', path, `level ${i} stands behind one that it reaches`)
    }
  }
}

function reaches(level: PlatformLevel, other: PlatformLevel): boolean {
  const isAtLeast = (mine: readonly number[], theirs: readonly number[]) =>
    mine.every((svn, i) => svn >= (theirs[i] ?? 0))
  return (
    level.pceSvn >= other.pceSvn &&
    isAtLeast(level.sgxComponents, other.sgxComponents) &&
    isAtLeast(level.tdxComponents, other.tdxComponents)
  )
}
