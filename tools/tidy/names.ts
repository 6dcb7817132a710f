import { posix } from 'node:path'
import type { Finding } from './finding.ts'
import type { Tree } from './tree.ts'

const DRAWERS = ['util', 'utils', 'helper', 'helpers', 'common', 'shared', 'misc', 'lib']
const DRAWER_WORD = new RegExp(`^(${DRAWERS.join('|')})$|-(utils?|helpers?)$`)
const SOURCE = /\.(m|c)?(ts|js)x?$/
const KEBAB = /^[a-z0-9]+([-.][a-z0-9]+)*$/
const PAGE = /^(docs|spec)\/.*\.md$/

/** A file is named for what is in it: kebab-case, no drawers, `index.ts` only as a package's face. */
export function checkNames(tree: Tree): readonly Finding[] {
  const findings: Finding[] = []
  const reported = new Set<string>()
  for (const path of tree.paths) {
    const report = (about: string, message: string) => {
      if (!reported.has(about)) findings.push({ file: path, line: 1, rule: 'name', message })
      reported.add(about)
    }
    const folders = path.split('/').slice(0, -1)
    for (const [depth, folder] of folders.entries()) {
      const isDrawer = DRAWER_WORD.test(folder)
      if (isDrawer)
        report(folders.slice(0, depth + 1).join('/'), `folder ${folder} says nothing; name it for its topic`)
    }
    const file = posix.basename(path)
    const [stem = ''] = file.split('.')
    if (DRAWER_WORD.test(stem)) report(path, `${file} says nothing; name it for the noun it is about`)
    if (SOURCE.test(file) && stem === 'types') report(path, 'declare a type beside the code that makes or reads it')
    if ((SOURCE.test(file) || isPage(path)) && !KEBAB.test(file)) report(path, `${file} is not kebab-case; rename it`)
    if (SOURCE.test(file) && stem === 'index' && !/^packages\/[^/]+\/src\/index\.ts$/.test(path)) {
      report(path, 'index files are for the face of a package; name it for its topic')
    }
  }
  return findings
}

/** README.md and the like are written in capitals everywhere. */
function isPage(path: string): boolean {
  return PAGE.test(path) && !/^[A-Z_]+\.md$/.test(posix.basename(path))
}
