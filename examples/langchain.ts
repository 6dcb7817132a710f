/** LangChain's OpenAI model, with every answer checked. `npx tsx examples/langchain.ts` */
import { receiptsFetch } from '@countersign/client'
import { ChatOpenAI } from '@langchain/openai'
import { readSettings } from './settings.ts'

const { gateway, trust, model, apiKey } = readSettings('tiny-english')

const fetch = receiptsFetch({
  trust,
  onVerdict: (outcome) => {
    console.log(`\nreceipt ${outcome.receipt}: ${outcome.status}`)
    console.table(outcome.checks, ['name', 'status', 'reason'])
  },
})
const chat = new ChatOpenAI({ model, apiKey, configuration: { baseURL: `${gateway}/v1`, fetch } })

const stream = await chat.stream('Name three rivers.')
for await (const chunk of stream) process.stdout.write(chunk.text)
