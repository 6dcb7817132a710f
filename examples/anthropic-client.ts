/** The official Anthropic client; an answer that is refuted is an error. `npx tsx examples/anthropic-client.ts` */
import { readFileSync } from 'node:fs'
import Anthropic from '@anthropic-ai/sdk'
import { withReceipts } from '@countersign/client'

const { GATEWAY = 'http://127.0.0.1:8787', TRUST = 'trust.yaml', MODEL = 'chat', API_KEY = 'none' } = process.env

const client = withReceipts(new Anthropic({ baseURL: GATEWAY, apiKey: API_KEY }), {
  trust: readFileSync(TRUST, 'utf8'),
  mode: 'throw',
  onVerdict: (outcome) => {
    console.log(`receipt ${outcome.receipt}: ${outcome.status}`)
    console.table(outcome.checks, ['name', 'status', 'reason'])
  },
})

const message = await client.messages.create({
  model: MODEL,
  max_tokens: 100,
  messages: [{ role: 'user', content: 'Name three rivers.' }],
})
for (const block of message.content) if (block.type === 'text') console.log(block.text)
