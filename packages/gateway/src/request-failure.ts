/** A word for a request that failed: what the system and the client call it, never what the other side sent. */
export function failureOf(thrown: unknown): string {
  const { code, name } = (thrown ?? {}) as { readonly code?: unknown; readonly name?: unknown }
  if (name === 'TimeoutError') return 'no answer in time'
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') return 'its answer is too large'
  if (name === 'AbortError') return 'it was given up'
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,63}$/.test(code) ? `no answer (${code})` : 'no answer'
}
