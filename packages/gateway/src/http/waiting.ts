/** Waiting for a head, as long as the client wants to. */
import type { Services } from '../services.ts'
import type { StatementRow } from '../store/statement-reader.ts'

const MAX_WAIT_SECONDS = 30

/**
 * Whether a head covers the statement, after waiting for it as long as the client wants: `Prefer: wait=5`. With
 * `Prefer: wait=5, witnessed` for one that the witnesses of its deployment confirmed, where there are any.
 *
 * @spec RFC 7240 §4.3
 */
export async function isCovered(
  gateway: Services,
  { name, index }: Pick<StatementRow, 'name' | 'index'>,
  headers: Headers,
): Promise<boolean> {
  const prefer = headers.get('prefer') ?? ''
  const [, seconds] = /(?:^|[,;\s])wait=(\d{1,3})(?:$|[,;\s])/.exec(prefer) ?? []
  const waitMs = Math.min(Number(seconds ?? 0), MAX_WAIT_SECONDS) * 1000
  const startMs = performance.now()
  if (!(await gateway.log.waitForHead(index, waitMs))) return false
  if (/(?:^|[,;\s])witnessed(?:$|[,;\s])/.test(prefer)) {
    await gateway.witnessing.waitFor(name, index, waitMs - (performance.now() - startMs))
  }
  return true
}
