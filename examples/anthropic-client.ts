/** The official Anthropic client; an answer that is refuted is an error. `npx tsx examples/anthropic-client.ts` */
import Anthropic from '@anthropic-ai/sdk'
import { withReceipts } from '@countersign/client'
import { readSettings } from './settings.ts'

const { gateway, trust, model, apiKey } = readSettings()

const client = withReceipts(new Anthropic({ baseURL: gateway, apiKey }), {
  trust,
  mode: 'throw',
  onVerdict: (outcome) => {
    console.log(`receipt ${outcome.receipt}: ${outcome.status}`)
    console.table(outcome.checks, ['name', 'status', 'reason'])
  },
})

const message = await client.messages.create({
  model,
  max_tokens: 100,
  messages: [{ role: 'user', content: 'Name three rivers.' }],
})
for (const block of message.content) if (block.type === 'text') console.log(block.text)
