import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { createCosignedHeadStore } from './cosigned-heads.ts'
import { openDatabase } from './database.ts'
import { StatementReader } from './statement-reader.ts'

test('a cited head stays as it was when its first answer cited it, for each deployment', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-store-'))
  context.after(() => rmSync(folder, { recursive: true }))
  const database = openDatabase(join(folder, 'store.db'))
  context.after(() => database.close())
  const keep = createCosignedHeadStore(database)
  keep([], [{ deployment: 'sum', size: 5, note: 'by two' }])
  keep(
    [],
    [
      { deployment: 'sum', size: 5, note: 'by two, and a late one' },
      { deployment: 'credit', size: 5, note: 'by three' },
    ],
  )
  const statements = new StatementReader(createNodeCrypto(), database)
  assert.equal(statements.citedHead('sum', 5), 'by two')
  assert.equal(statements.citedHead('credit', 5), 'by three')
  assert.equal(statements.citedHead('sum', 6), undefined)
})
