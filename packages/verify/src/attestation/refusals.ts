import { CountersignError } from '../errors.ts'

/** Sound evidence of what a policy, or good sense, does not accept. */
export function refused(why: string): CountersignError {
  return new CountersignError('evidence/refused', why)
}
