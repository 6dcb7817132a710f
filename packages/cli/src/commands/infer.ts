/** `countersign infer`: sends applications to a gateway and keeps their dossiers. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import {
  CountersignError,
  FILE_LIMITS,
  Fields,
  type Json,
  parseInferenceResponse,
  parseJson,
  quote,
  utf8,
} from '@countersign/verify'
import type { Command } from 'commander'
import { readApiKey } from '../api-key.ts'
import { encodeApplication, readFeatureSchema } from '../features.ts'
import { bundledModels, formatJson, makePrivateOutputFolder, readInput, writePrivateOutput } from '../files.ts'
import {
  type ClientAnswer,
  DEFAULT_GATEWAY,
  fetchDossier,
  parseGatewayAddress,
  postInference,
} from '../gateway-client.ts'
import { print, warn } from '../terminal.ts'

interface InferOptions {
  readonly input: string
  readonly gateway: string
  readonly apiKeyFile?: string
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
  countersign infer credit --input request.json --raw --json
  COUNTERSIGN_API_KEY=csk_… countersign infer credit --input examples/applications.jsonl --gateway https://gateway.example

A dossier is written as soon as the gateway's witnesses have confirmed its record, or after 10 seconds, with a warning.
It opens people's data: the folder and its files are made for you alone.

Exit codes: 0 all were answered, and their dossiers written; 2 bad usage, a gateway that refuses, or none there.`

export function addInfer(program: Command): void {
  program
    .command('infer')
    .description('send applications to a gateway, print the decisions, keep the dossiers')
    .argument('<model>', 'name of the deployment')
    .requiredOption('--input <file>', 'applications, one JSON object per line; with --raw, one request body')
    .option('--gateway <url>', 'where the gateway is', parseGatewayAddress, DEFAULT_GATEWAY)
    .option('--api-key-file <file>', 'file with your API key (default: COUNTERSIGN_API_KEY)')
    .option(
      '--features <folder>',
      'folder of the features.json that says how to encode (default: those that come with Countersign)',
    )
    .option('--raw', 'the file is the body of an Open Inference Protocol request')
    .option('--out <folder>', 'write each dossier there')
    .option('--json', 'print a JSON object per answer')
    .addHelpText('after', EXAMPLES)
    .action(async (model: string, options: InferOptions) => {
      const apiKey = readApiKey(options.apiKeyFile)
      const applications = readApplications(model, options)
      // Before the first question: an answer whose dossier cannot be kept is lost.
      if (options.out !== undefined) makePrivateOutputFolder(options.out)
      for (const application of applications) await inferOne(model, application, options, apiKey)
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
  return readApplicationLines(options.input, options.features ?? findFeatures(model))
}

/** The folder with the features that come with Countersign for a model. @throws {CountersignError} `usage/invalid` where none do */
function findFeatures(model: string): string {
  const known = readdirSync(bundledModels()).filter((name) => existsSync(join(bundledModels(), name, 'features.json')))
  if (known.includes(model)) return join(bundledModels(), model)
  throw new CountersignError(
    'usage/invalid',
    `features come with Countersign for ${known.join(', ')}, not for ${quote(model)}; ` +
      'name a folder with its features.json with --features, or send a whole request with --raw',
  )
}

async function inferOne(
  model: string,
  { name, body }: Application,
  options: InferOptions,
  apiKey: string | undefined,
): Promise<void> {
  const answer = await postInference(options.gateway, model, body, apiKey)
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

async function keepDossier({ receipt, secret }: ClientAnswer, gateway: string, folder: string): Promise<string> {
  const path = join(folder, `${receipt}.json`)
  const { dossier, isWitnessed } = await fetchDossier(gateway, receipt, secret)
  writePrivateOutput(path, formatJson(dossier))
  if (isWitnessed === false) {
    warn(
      `${path}: the gateway’s witnesses have not confirmed this record yet. Get it again later, with the secret that --json prints:`,
    )
    warn(`  curl -H "Authorization: Bearer $SECRET" -H 'Prefer: wait=10, witnessed' ${gateway}/dossiers/${receipt}`)
  }
  return path
}
