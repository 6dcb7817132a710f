import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { Disk } from './disk.testing.ts'
import { checkImages, chooseImages } from './images.testing.ts'
import { createRandom } from './random.testing.ts'
import { compileRecorder, type Recording, record } from './recording.testing.ts'

const IMAGES = 16
const SEED = 20_260_102
const NO_COMPILER = 'there is no C compiler here to build the recorder with'

let folder = ''
let recording: Recording | undefined
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-power-'))
  const recorder = process.platform === 'linux' ? compileRecorder(folder) : undefined
  if (recorder !== undefined) recording = await record(folder, recorder, SEED)
})
after(() => rmSync(folder, { recursive: true, force: true }))

test('the recorder misses nothing: all that it saw, done again, gives the same files', (t) => {
  if (recording === undefined) return t.skip(NO_COMPILER)
  const disk = new Disk(recording.root)
  for (const operation of recording.operations) disk.apply(operation)
  const replayed = join(folder, 'replayed')
  mkdirSync(replayed)
  disk.materialise(replayed, 'killed', createRandom(SEED))
  assert.deepEqual(filesBelow(replayed), filesBelow(recording.root))
})

test('no power cut loses an answer, a promise, a head or an erasure', async (t) => {
  if (recording === undefined) return t.skip(NO_COMPILER)
  describe(t, recording)
  const broken = await checkImages(recording, chooseImages(recording, IMAGES, SEED), join(folder, 'image'))
  assert.deepEqual(broken, [])
})

test('the same checks catch a disk that lies about syncing the write-ahead log', async (t) => {
  if (recording === undefined) return t.skip(NO_COMPILER)
  const held = recording.answers.filter(({ answer }) => answer.form === 'held')
  const images = [5, 20, 60].map((number) => ({
    at: (held[number]?.endedAt ?? 0) + 1,
    loss: 'least' as const,
    seed: SEED,
  }))
  const ignoreSync = (path: string) => path.endsWith('countersign.db-wal')
  const broken = await checkImages(recording, images, join(folder, 'image'), { ignoreSync })
  const problems = broken.flatMap((each) => each.problems)
  assert.ok(
    problems.some((problem) => /^lost: |does not start: (data\/damaged|config\/|log\/)/.test(problem)),
    problems.join('; '),
  )
  assert.equal(broken.length, images.length)
})

function describe(t: TestContext, { operations, answers, heads, erasures }: Recording): void {
  const cut = answers.filter(({ endedAt }) => endedAt === undefined).length
  const counts = [operations.length, answers.length, cut, heads.length, erasures.length]
  t.diagnostic(`operations, answers, those that broke off, heads, erasures: ${counts.join(', ')}; images: ${IMAGES}`)
}

/** Contents by path; SQLite's -shm is no durable state. */
function filesBelow(root: string): ReadonlyMap<string, string> {
  const files = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((file) => file.isFile() && !file.name.endsWith('-shm'))
    .map((file) => join(file.parentPath, file.name))
    .sort()
  return new Map(files.map((file) => [relative(root, file), readFileSync(file).toString('base64')]))
}
