/** How long a client would wait for a head. */
const MAX_WAIT_SECONDS = 30

/** `Prefer: wait=5`. @spec RFC 7240 §4.3 */
export function readWaitMs(headers: Headers): number {
  const [, seconds] = /(?:^|[,;\s])wait=(\d{1,3})(?:$|[,;\s])/.exec(headers.get('prefer') ?? '') ?? []
  return Math.min(Number(seconds ?? 0), MAX_WAIT_SECONDS) * 1000
}
