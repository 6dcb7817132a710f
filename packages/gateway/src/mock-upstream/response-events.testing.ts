/** The events of a streamed response, from `response.created` to its end. */
import type {
  Response,
  ResponseOutputItem,
  ResponseOutputRefusal,
  ResponseOutputText,
  ResponseStreamEvent,
} from 'openai/resources/responses/responses'
import { type Answer, type Call, frame, streamAnswer, toJson } from './answer.testing.ts'
import { OPENAI } from './provider.testing.ts'
import type { Utterance } from './utterance.testing.ts'

/** The client adds `output_text`; it is not on the wire. */
export type WireResponse = Omit<Response, 'output_text'>

type OnWire<Event> = Event extends { response: unknown } ? Omit<Event, 'response'> & { response: WireResponse } : Event
type Unnumbered<Event> = Event extends unknown ? Omit<Event, 'sequence_number'> : never
type EventBody = Unnumbered<OnWire<ResponseStreamEvent>>

export function streamResponse(call: Call, response: WireResponse, utterance: Utterance): Answer {
  const { usage: _, ...before } = { ...response, status: 'in_progress' as const, error: null, incomplete_details: null }
  const started = { ...before, output: [] }
  const items = response.output.flatMap((item, index) => eventsOf(item, index, utterance))
  const bodies: readonly EventBody[] = [
    { type: 'response.created', response: started },
    { type: 'response.in_progress', response: started },
    ...items,
    lastEvent(response),
  ]
  const frames = bodies.map((body, index) => {
    const { type, ...rest } = body
    return frame(toJson({ type, sequence_number: index, ...rest }, call.scenario), type)
  })
  const terminal = frames.pop() ?? new Uint8Array(0)
  const failure = {
    type: 'error',
    sequence_number: Math.floor(frames.length / 2),
    code: 'server_error',
    message: 'The server had an error while answering.',
    param: null,
  }
  return streamAnswer(OPENAI.headers(call.digest), {
    frames,
    terminal,
    failure: frame(JSON.stringify(failure), 'error'),
  })
}

function lastEvent(response: WireResponse): EventBody {
  if (response.status === 'failed') return { type: 'response.failed', response }
  if (response.status === 'incomplete') return { type: 'response.incomplete', response }
  return { type: 'response.completed', response }
}

function eventsOf(item: ResponseOutputItem, index: number, utterance: Utterance): readonly EventBody[] {
  const inner =
    item.type === 'function_call'
      ? argumentEvents(item, index, utterance)
      : item.type === 'message'
        ? item.content.flatMap((part) => partEvents(part, item.id, index, utterance.pieces))
        : []
  const empty = item.type === 'function_call' ? { ...item, arguments: '' } : { ...item, content: [] }
  const added = { ...empty, status: 'in_progress' } as ResponseOutputItem
  return [
    { type: 'response.output_item.added', output_index: index, item: added },
    ...inner,
    { type: 'response.output_item.done', output_index: index, item },
  ]
}

function argumentEvents(
  { id = '', name, arguments: text }: { id?: string; name: string; arguments: string },
  index: number,
  { calls }: Utterance,
): readonly EventBody[] {
  const at = { item_id: id, output_index: index }
  const pieces = calls[index]?.argumentPieces ?? []
  return [
    ...pieces.map((delta) => ({ type: 'response.function_call_arguments.delta', ...at, delta }) as const),
    { type: 'response.function_call_arguments.done', ...at, name, arguments: text },
  ]
}

function partEvents(
  part: ResponseOutputText | ResponseOutputRefusal,
  itemId: string,
  index: number,
  pieces: readonly string[],
): readonly EventBody[] {
  const at = { item_id: itemId, output_index: index, content_index: 0 }
  const deltas = pieces.map(
    (delta): EventBody =>
      part.type === 'refusal'
        ? { type: 'response.refusal.delta', ...at, delta }
        : { type: 'response.output_text.delta', ...at, delta, logprobs: [] },
  )
  const done: EventBody =
    part.type === 'refusal'
      ? { type: 'response.refusal.done', ...at, refusal: part.refusal }
      : { type: 'response.output_text.done', ...at, text: part.text, logprobs: [] }
  const empty = part.type === 'refusal' ? { ...part, refusal: '' } : { ...part, text: '' }
  return [
    { type: 'response.content_part.added', ...at, part: empty },
    ...deltas,
    done,
    { type: 'response.content_part.done', ...at, part },
  ]
}
