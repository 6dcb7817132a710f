/** The official OpenAI client, with every answer checked. `npx tsx examples/openai-client.ts` */
import { readFileSync } from 'node:fs'
import { withReceipts } from '@countersign/client'
import OpenAI from 'openai'

const { GATEWAY = 'http://127.0.0.1:8787', TRUST = 'trust.yaml', MODEL = 'chat', API_KEY = 'none' } = process.env

const client = withReceipts(new OpenAI({ baseURL: `${GATEWAY}/v1`, apiKey: API_KEY }), {
  trust: readFileSync(TRUST, 'utf8'),
  when: 'receipt',
  onVerdict: (outcome) => {
    console.log(`\nreceipt ${outcome.receipt}: ${outcome.status}`)
    console.table(outcome.checks, ['name', 'status', 'reason'])
  },
})

const stream = await client.chat.completions.create({
  model: MODEL,
  messages: [{ role: 'user', content: 'Name three rivers.' }],
  stream: true,
})
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? '')
