/** `countersign infer`: sends applications to a gateway and keeps their dossiers. */
import { join } from 'node:path'
import {
  CountersignError,
  FILE_LIMITS,
  Fields,
  type Json,
  parseInferenceResponse,
  parseJson,
  utf8,
} from '@countersign/verify'
import type { Command } from 'commander'
import { encodeApplication, readFeatureSchema } from '../features.ts'
import { bundledModels, formatJson, readInput, writeOutput } from '../files.ts'
import { type ClientAnswer, DEFAULT_GATEWAY, fetchDossier, postInference } from '../gateway-client.ts'
import { print } from '../terminal.ts'

interface InferOptions {
  readonly input: string
  readonly gateway: string
  readonly features?: string
  readonly raw?: boolean
  readonly out?: string
  readonly json?: boolean
}

/** One application to decide on. */
export interface Application {
  readonly name: string
  readonly body: Uint8Array
}

const EXAMPLES = `
Examples:
  countersign infer credit --input examples/applications.jsonl
  countersign infer credit --input examples/applications.jsonl --out dossiers
  countersign infer credit --input request.json --raw --json`

export function addInfer(program: Command): void {
  program
    .command('infer')
    .description('send applications to a gateway, print the decisions, keep the dossiers')
    .argument('<model>', 'name of the deployment')
    .requiredOption('--input <file>', 'applications, one JSON object per line; with --raw, one request body')
    .option('--gateway <url>', 'where the gateway is', DEFAULT_GATEWAY)
    .option('--features <folder>', 'folder of the features.json that says how to encode (default: the bundled model)')
    .option('--raw', 'the file is the body of an Open Inference Protocol request')
    .option('--out <folder>', 'write each dossier there')
    .option('--json', 'print a JSON object per answer')
    .addHelpText('after', EXAMPLES)
    .action(async (model: string, options: InferOptions) => {
      for (const application of readApplications(model, options)) await inferOne(model, application, options)
    })
}

/** The applications in a file of JSON lines. @throws {CountersignError} `file/unreadable`, `json/*`, `shape/*` */
export function readApplicationLines(path: string, modelFolder: string): readonly Application[] {
  const schema = readFeatureSchema(modelFolder)
  const lines = Buffer.from(readInput(path)).toString('utf8').split('\n')
  return lines.flatMap((line, i) => {
    if (line.trim() === '') return []
    try {
      const fields = new Fields(parseJson(utf8(line), FILE_LIMITS), 'line')
      const application = { name: fields.text('name'), body: encodeApplication(schema, fields.required('application')) }
      fields.end()
      return [application]
    } catch (thrown) {
      if (!(thrown instanceof CountersignError)) throw thrown
      throw new CountersignError(thrown.code, `${path}, line ${i + 1}: ${thrown.message}`)
    }
  })
}

/** What the model decided, from the body of its answer. */
export function readDecision(body: Uint8Array): { readonly [output: string]: Json } {
  const { outputs } = parseInferenceResponse(body)
  return Object.fromEntries(outputs.map(({ name, data }) => [name, Number(data[0])]))
}

function readApplications(model: string, options: InferOptions): readonly Application[] {
  if (options.raw) return [{ name: options.input, body: readInput(options.input) }]
  return readApplicationLines(options.input, options.features ?? join(bundledModels(), model))
}

async function inferOne(model: string, { name, body }: Application, options: InferOptions): Promise<void> {
  const answer = await postInference(options.gateway, model, body)
  const dossier = options.out === undefined ? undefined : await keepDossier(answer, options.gateway, options.out)
  const decision = readDecision(answer.body)
  if (options.json) {
    const { receipt, secret, promise } = answer
    print(JSON.stringify({ name, receipt, secret, promise, decision, ...(dossier === undefined ? {} : { dossier }) }))
    return
  }
  const text = Object.entries(decision).map(([output, value]) => `${output} ${value}`)
  print(
    `${name.padEnd(18)} ${text.join('  ')}  receipt ${answer.receipt}${dossier === undefined ? '' : `  ${dossier}`}`,
  )
}

async function keepDossier(answer: ClientAnswer, gateway: string, folder: string): Promise<string> {
  const path = join(folder, `${answer.receipt}.json`)
  writeOutput(path, formatJson(await fetchDossier(gateway, answer.receipt, answer.secret)))
  return path
}
