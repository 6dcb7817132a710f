/** The official OpenAI client, with every answer checked. `npx tsx examples/openai-client.ts` */
import { withReceipts } from '@countersign/client'
import OpenAI from 'openai'
import { readSettings } from './settings.ts'

const { gateway, trust, model, apiKey } = readSettings('tiny-english')

const client = withReceipts(new OpenAI({ baseURL: `${gateway}/v1`, apiKey }), {
  trust,
  when: 'receipt',
  onVerdict: (outcome) => {
    console.log(`\nreceipt ${outcome.receipt}: ${outcome.status}`)
    console.table(outcome.checks, ['name', 'status', 'reason'])
  },
})

const stream = await client.chat.completions.create({
  model,
  messages: [{ role: 'user', content: 'Name three rivers.' }],
  stream: true,
})
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? '')
