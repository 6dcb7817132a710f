import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openProgram, verifyInstalledVersion } from './installation.ts'
import { PROFILES, REFERENCE_PROFILE } from './profile.ts'

test('the packages that the profiles name are installed', async () => {
  for (const profile of PROFILES) await verifyInstalledVersion(profile)
})

test('another version than the installed one does not meet the profile', async () => {
  for (const profile of PROFILES) {
    await assert.rejects(verifyInstalledVersion({ ...profile, version: '1.29.0' }), (thrown: Error) => {
      assert.equal((thrown as Error & { code: string }).code, 'execution/profile-unmet')
      assert.match(thrown.message, /needs onnxruntime-(node|web) 1\.29\.0; it is installed as 1\.30\.0/)
      return true
    })
  }
})

test('the program of the reference profile is the installed one', async () => {
  const magic = Uint8Array.of(0, ...Buffer.from('asm'))
  assert.deepEqual(new Uint8Array((await openProgram(REFERENCE_PROFILE)).subarray(0, 4)), magic)
})

test('another program does not meet the profile', async () => {
  const programDigest = '00'.repeat(32)
  await assert.rejects(openProgram({ ...REFERENCE_PROFILE, programDigest }), { code: 'execution/profile-unmet' })
})
