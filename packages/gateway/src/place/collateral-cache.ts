/** Collateral that was fetched, in a folder, each until it is out of date. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { COLLATERAL_KINDS, FILE_LIMITS, Fields, parseJson, toBase64, utf8 } from '@countersign/verify'
import { makeFolderDurably, writeDurably } from '../data/durable-file.ts'
import type { ReadCollateral } from './collateral-source.ts'

/** Whatever its maker says, nothing is used for longer. */
export const MAX_CACHED_MS = 24 * 60 * 60 * 1000

/** Most files of the folder; those that are out of date go first, then the oldest. */
export const MAX_CACHED_FILES = 512
const FORMAT = 'countersign-cached-collateral/v1'
const MAX_ITEMS = 16
const MAX_ITEM_TEXT = 8 * 1024 * 1024
const FILE_NAME = /^[0-9a-f]{64}\.json$/

export interface CollateralCache {
  /** What an address served, as long as it is current. */
  find(url: string, nowMs: number): ReadCollateral['items'] | undefined
  keep(url: string, read: ReadCollateral, nowMs: number): void
}

/** Makes the folder when something is kept. A file that cannot be read, or is of another address, counts as none. */
export function createCollateralCache(folder: string): CollateralCache {
  const pathOf = (url: string) => join(folder, `${createHash('sha256').update(url).digest('hex')}.json`)
  return {
    find(url, nowMs) {
      const cached = readCached(pathOf(url))
      const isCurrent = cached?.url === url && nowMs >= cached.fetchedAtMs && nowMs < cached.untilMs
      return isCurrent ? cached.items : undefined
    },
    keep(url, { items, currentUntilMs }, nowMs) {
      const untilMs = Math.min(nowMs + MAX_CACHED_MS, currentUntilMs ?? Number.MAX_SAFE_INTEGER)
      if (untilMs <= nowMs) return
      makeFolderDurably(folder)
      makeRoom(folder, nowMs)
      const encoded = items.map(({ kind, content }) => ({ kind, content: toBase64(content) }))
      const text = JSON.stringify({ format: FORMAT, url, fetchedAtMs: nowMs, untilMs, items: encoded })
      writeDurably(pathOf(url), utf8(text))
    },
  }
}

function readCached(path: string) {
  try {
    const fields = new Fields(parseJson(readFileSync(path), FILE_LIMITS), 'cached')
    fields.literal('format', FORMAT)
    const cached = {
      url: fields.text('url', { maxLength: 4096 }),
      fetchedAtMs: fields.integer('fetchedAtMs'),
      untilMs: fields.integer('untilMs'),
      items: fields.list('items', MAX_ITEMS, (item, at) => {
        const each = new Fields(item, at)
        return { kind: each.oneOf('kind', COLLATERAL_KINDS), content: each.base64('content', MAX_ITEM_TEXT) }
      }),
    }
    fields.end()
    return cached
  } catch {
    return undefined
  }
}

function makeRoom(folder: string, nowMs: number): void {
  const files = readdirSync(folder).filter((name) => FILE_NAME.test(name))
  if (files.length < MAX_CACHED_FILES) return
  const byAge = files
    .map((name) => join(folder, name))
    .map((path) => ({ path, isStale: (readCached(path)?.untilMs ?? 0) <= nowMs, timeMs: statSync(path).mtimeMs }))
    .sort((a, b) => Number(b.isStale) - Number(a.isStale) || a.timeMs - b.timeMs)
  const stale = byAge.filter(({ isStale }) => isStale).length
  for (const { path } of byAge.slice(0, Math.max(stale, files.length - MAX_CACHED_FILES + 1)))
    rmSync(path, { force: true })
}
