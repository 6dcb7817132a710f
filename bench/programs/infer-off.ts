/**
 * The same server without the recording: HTTP, parsing, the model, the answer. It exists for comparison, in this program
 * alone; the gateway has no such setting.
 */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { findProfile, loadModel } from '@countersign/engines'
import { formatInferenceResponse, parseInferenceRequest, toHex } from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import { readBody } from '../../packages/gateway/dist/http/body.js'

const MAX_BODY_BYTES = 1024 * 1024

async function main(): Promise<void> {
  const bytes = readFileSync(fileURLToPath(new URL('../../models/credit/credit.onnx', import.meta.url)))
  const profile = findProfile('ort-node-1.30.0-cpu-disabled-1t')
  const model = await loadModel(profile, bytes, toHex(createNodeCrypto().sha256(bytes)))
  const server = createServer((request, response) => {
    const answer = async () => {
      const { inputs, outputs, id } = parseInferenceRequest(await readBody(request, MAX_BODY_BYTES, { add: () => {} }))
      model.check(inputs, outputs)
      const body = formatInferenceResponse({ modelName: 'credit', id, outputs: await model.run(inputs, outputs) })
      response.writeHead(200, { 'content-type': 'application/json; charset=utf-8', 'content-length': body.length })
      response.end(body)
    }
    answer().catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo
    process.stdout.write(`serving at http://127.0.0.1:${port}\n`)
  })
}

await main()
