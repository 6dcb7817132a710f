/** LangChain's OpenAI model, with every answer checked. `npx tsx examples/langchain.ts` */
import { readFileSync } from 'node:fs'
import { receiptsFetch } from '@countersign/client'
import { ChatOpenAI } from '@langchain/openai'

const { GATEWAY = 'http://127.0.0.1:8787', TRUST = 'trust.yaml', MODEL = 'chat', API_KEY = 'none' } = process.env

const fetch = receiptsFetch({
  trust: readFileSync(TRUST, 'utf8'),
  onVerdict: (outcome) => {
    console.log(`\nreceipt ${outcome.receipt}: ${outcome.status}`)
    console.table(outcome.checks, ['name', 'status', 'reason'])
  },
})
const model = new ChatOpenAI({ model: MODEL, apiKey: API_KEY, configuration: { baseURL: `${GATEWAY}/v1`, fetch } })

const stream = await model.stream('Name three rivers.')
for await (const chunk of stream) process.stdout.write(chunk.text)
