/** Conversations that requests under way have named. */
import { CountersignError, quote } from '@countersign/verify'

/** Whose a conversation is may not be known before the first answer in it is on record: until then nobody else may name it. */
export interface ConversationsUnderWay {
  /**
   * Begins a request in a conversation; call what it returns when the request is over.
   *
   * @throws {CountersignError} `request/not-found` when a request of another holder is under way in it
   */
  begin(id: string, holder: string): () => void
}

/** No more conversations than there are requests under way. */
export function createConversations(): ConversationsUnderWay {
  const underWay = new Map<string, { readonly holder: string; requests: number }>()
  return {
    begin(id, holder) {
      const entry = underWay.get(id) ?? { holder, requests: 0 }
      if (entry.holder !== holder) throw noConversation(id)
      entry.requests++
      underWay.set(id, entry)
      return () => {
        if (--entry.requests === 0) underWay.delete(id)
      }
    },
  }
}

/** What is said of a conversation that is somebody else's. */
export function noConversation(id: string): CountersignError {
  return new CountersignError('request/not-found', `conversation: ${quote(id)} is not for this key`)
}
