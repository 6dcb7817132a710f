/** The Vercel AI SDK; receipt and checks come in the metadata of each answer. `npx tsx examples/vercel-ai.ts` */
import { createOpenAI } from '@ai-sdk/openai'
import { type ReceiptMetadata, receiptsFetch, receiptsMiddleware } from '@countersign/client'
import { generateText, wrapLanguageModel } from 'ai'
import { readSettings } from './settings.ts'

const { gateway, trust, model, apiKey } = readSettings('tiny-english')

const fetch = receiptsFetch({ trust })
const openai = createOpenAI({ baseURL: `${gateway}/v1`, apiKey, fetch })
const wrapped = wrapLanguageModel({ model: openai.chat(model), middleware: receiptsMiddleware(fetch) })

const { text, providerMetadata } = await generateText({ model: wrapped, prompt: 'Name three rivers.' })
console.log(text)

const metadata = providerMetadata?.countersign as ReceiptMetadata | undefined
console.log(`\nreceipt ${metadata?.receipt}: ${metadata?.verdict.status}`)
console.table(metadata?.verdict.checks, ['name', 'status', 'reason'])
