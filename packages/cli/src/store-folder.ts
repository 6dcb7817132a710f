/** Where a gateway keeps its databases. Commands that look there make no folder. */
import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { apiKeysPath, dataFolderAt } from '@countersign/gateway'
import { CountersignError } from '@countersign/verify'

export interface StorePaths {
  readonly apiKeys: string
  /** Where spend is recorded. */
  readonly database: string
}

/** @throws {CountersignError} `usage/invalid` when it is not the folder of a gateway that was started before */
export function requireStore(data: string): StorePaths {
  const root = resolve(data)
  const { database } = dataFolderAt(root)
  if (!existsSync(dirname(database))) {
    const why = existsSync(root) ? `${root} is not a gateway’s data folder` : `there is no data folder ${root}`
    throw new CountersignError('usage/invalid', `${why}; pass --data, or start the gateway once`)
  }
  return { apiKeys: apiKeysPath(root), database }
}
