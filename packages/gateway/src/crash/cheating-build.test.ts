import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { CHEATING_BUILDS } from './cheating-build.testing.ts'
import { checkImages, type Image } from './images.testing.ts'
import { compileRecorder, type Recording, recordStreams } from './recording.testing.ts'

const NO_COMPILER = 'there is no C compiler here to build the recorder with'

let folder = ''
let recorder: string | undefined
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-builds-'))
  recorder = process.platform === 'linux' ? compileRecorder(folder) : undefined
})
after(() => rmSync(folder, { recursive: true, force: true }))

/** Everything lost that was not synced, right after the last stream began, and right after it ended. */
function worstImages({ answers }: Recording): readonly Image[] {
  const last = answers.at(-1)
  assert.ok(last?.endedAt !== undefined, 'the last stream must come to its end')
  return [last.begunAt, last.endedAt].map((at) => ({ at: at + 1, loss: 'least', seed: 1 }))
}

async function problemsOf(name: string, build?: string): Promise<readonly string[]> {
  assert.ok(recorder)
  const part = join(folder, name)
  const recording = await recordStreams(part, recorder, build)
  const broken = await checkImages(recording, worstImages(recording), join(part, 'image'))
  return broken.flatMap(({ problems }) => problems)
}

test('on a slow disk, this build loses nothing of a stream', async (t) => {
  if (recorder === undefined) return t.skip(NO_COMPILER)
  assert.deepEqual(await problemsOf('honest'), [])
})

for (const [number, { name, caught }] of CHEATING_BUILDS.entries()) {
  test(`the same images catch a build that ${name}`, async (t) => {
    if (recorder === undefined) return t.skip(NO_COMPILER)
    const problems = await problemsOf(`cheating-${number}`, name)
    assert.ok(
      problems.some((problem) => caught.test(problem)),
      `not caught; found: ${problems.join('; ')}`,
    )
  })
}
