import { checkDocumented, checkVerifyContracts } from './contracts.ts'
import { checkCycles, checkOwnIndex } from './cycles.ts'
import { checkDeadFiles } from './dead-files.ts'
import { checkDependencies } from './dependencies.ts'
import { checkFolderDirection, checkPackageDirection } from './direction.ts'
import { checkErrorCodes } from './error-codes.ts'
import { checkEscapes } from './escapes.ts'
import type { Rule } from './finding.ts'
import { checkImportTime } from './import-time.ts'
import { checkIdleTests, checkMarks } from './leftovers.ts'
import { checkLinks } from './links.ts'
import { checkMachinePaths } from './machine-paths.ts'
import { checkNames } from './names.ts'
import { checkPureCore } from './pure-core.ts'
import { checkSizes } from './sizes.ts'

/** Everything that a program can check of the style. */
export const RULES: readonly Rule[] = [
  checkPackageDirection,
  checkFolderDirection,
  checkCycles,
  checkOwnIndex,
  checkDependencies,
  checkPureCore,
  checkSizes,
  checkNames,
  checkEscapes,
  checkVerifyContracts,
  checkDocumented,
  checkImportTime,
  checkErrorCodes,
  checkDeadFiles,
  checkLinks,
  checkMarks,
  checkIdleTests,
  checkMachinePaths,
]
