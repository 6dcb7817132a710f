import { posix } from 'node:path'
import type { Finding } from './finding.ts'
import type { Tree } from './tree.ts'

interface Link {
  readonly target: string
  readonly line: number
}

/** Relative links and anchors in pages lead somewhere, and each page of spec/ and docs/ can be found from another. */
export function checkLinks(tree: Tree): readonly Finding[] {
  const findings: Finding[] = []
  const pages = tree.paths.filter((path) => path.endsWith('.md'))
  const linked = new Set<string>()
  for (const page of pages) {
    for (const { target, line } of linksOf(tree.textOf(page))) {
      if (/^([a-z][a-z0-9+.-]*:|\/\/)/i.test(target)) continue
      const { path, anchor } = resolveLink(page, target)
      const report = (message: string) => findings.push({ file: page, line, rule: 'dead-link', message })
      if (path !== '' && !tree.has(path) && !tree.hasFolder(path)) {
        report(`${target} leads to ${path}, which is not in the repository; mend the link`)
        continue
      }
      const file = tree.hasFolder(path) || path === '' ? posix.join(path, 'README.md') : path
      if (file !== page) linked.add(file)
      if (anchor === '' || !file.endsWith('.md') || anchorsOf(tree.textOf(file)).has(anchor)) continue
      report(`${target}: no heading of ${file} gives #${anchor}; mend the anchor`)
    }
  }
  for (const page of pages.filter((path) => /^(spec|docs)\//.test(path) && !linked.has(path))) {
    findings.push({
      file: page,
      line: 1,
      rule: 'lost-page',
      message: 'no other page links here; link it, or delete it',
    })
  }
  return findings
}

/** The path from the root, and the anchor. `#x` stays on its page; `/x` starts at the root. */
function resolveLink(page: string, target: string): { readonly path: string; readonly anchor: string } {
  const [beforeAnchor = '', anchor = ''] = target.split('#')
  const [path = ''] = decode(beforeAnchor).split('?')
  if (path === '') return { path: page, anchor: decode(anchor) }
  const joined = path.startsWith('/') ? posix.normalize(path.slice(1)) : posix.join(posix.dirname(page), path)
  return { path: joined.replace(/^\.$|\/$/, ''), anchor: decode(anchor) }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const LINK_FORMS = [
  /\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g,
  /^ {0,3}\[[^\]^]+\]:\s+<?([^\s>]+)>?/g,
  /\b(?:href|src)="([^"]+)"/g,
]

function linksOf(text: string): readonly Link[] {
  return withoutCode(text).flatMap((content, index) => {
    // Inline code shows links rather than making them.
    const prose = content.replace(/`[^`]*`/g, '')
    const targets = LINK_FORMS.flatMap((form) => [...prose.matchAll(form)].map((match) => match[1] ?? ''))
    return targets.map((target) => ({ target, line: index + 1 }))
  })
}

/** The lines of a page, those of fenced code emptied. */
function withoutCode(text: string): readonly string[] {
  let fence = ''
  return text.split('\n').map((line) => {
    const mark = /^\s*(`{3,}|~{3,})/.exec(line)?.[1] ?? ''
    if (fence === '') {
      fence = mark
      return mark === '' ? line : ''
    }
    if (mark.startsWith(fence)) fence = ''
    return ''
  })
}

/** Anchors as GitHub makes them of headings, and explicit `id`s. */
function anchorsOf(text: string): ReadonlySet<string> {
  const anchors = new Set<string>()
  for (const line of withoutCode(text)) {
    for (const match of line.matchAll(/<[a-z][^>]*\b(?:id|name)="([^"]+)"/g)) anchors.add(match[1] ?? '')
    const heading = /^ {0,3}#{1,6}\s+(.*?)\s*#*\s*$/.exec(line)?.[1]
    if (heading === undefined) continue
    const slug = slugOf(heading)
    let unique = slug
    for (let count = 1; anchors.has(unique); count++) unique = `${slug}-${count}`
    anchors.add(unique)
  }
  return anchors
}

function slugOf(heading: string): string {
  const shown = heading.replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
  return shown
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc} -]/gu, '')
    .replaceAll(' ', '-')
}
