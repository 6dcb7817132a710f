/** The Vercel AI SDK; receipt and checks come in the metadata of each answer. `npx tsx examples/vercel-ai.ts` */
import { readFileSync } from 'node:fs'
import { createOpenAI } from '@ai-sdk/openai'
import { type ReceiptMetadata, receiptsFetch, receiptsMiddleware } from '@countersign/client'
import { generateText, wrapLanguageModel } from 'ai'

const { GATEWAY = 'http://127.0.0.1:8787', TRUST = 'trust.yaml', MODEL = 'chat', API_KEY = 'none' } = process.env

const fetch = receiptsFetch({ trust: readFileSync(TRUST, 'utf8') })
const openai = createOpenAI({ baseURL: `${GATEWAY}/v1`, apiKey: API_KEY, fetch })
const model = wrapLanguageModel({ model: openai.chat(MODEL), middleware: receiptsMiddleware(fetch) })

const { text, providerMetadata } = await generateText({ model, prompt: 'Name three rivers.' })
console.log(text)

const metadata = providerMetadata?.countersign as ReceiptMetadata | undefined
console.log(`\nreceipt ${metadata?.receipt}: ${metadata?.verdict.status}`)
console.table(metadata?.verdict.checks, ['name', 'status', 'reason'])
