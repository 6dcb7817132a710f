/** Media types, as far as gateway and clients must agree on them. */

const EVENT_STREAM = /^[\t ]*text\/event-stream[\t ]*(?:;|$)/i

/**
 * Whether an answer with this `Content-Type` is an event stream, whose promise stands in a comment. Two types in one
 * value, as `fetch` joins several headers, are none.
 *
 * @spec spec/http.md, "Streams"; RFC 9110 §8.3.1
 */
export function isEventStream(contentType: string): boolean {
  return EVENT_STREAM.test(contentType)
}
