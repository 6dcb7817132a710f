/**
 * Trains the credit model and measures it.
 *
 *     npx tsx models/credit/train/main.ts PATH_TO_CSV
 *
 * Writes credit.onnx, features.json and figures.json, and the tables of MODEL_CARD.md. Running it again on the same
 * file with the same Node.js writes the same bytes.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { examplesOf } from './applications.ts'
import { renderCard } from './card.ts'
import { type CsvRow, parseCsv } from './csv.ts'
import { indicatorsOf } from './encoding.ts'
import { crossValidate } from './evaluation.ts'
import { ageFeature, modelFeatures } from './features.ts'
import { figuresOf } from './figures.ts'
import { encodeModel } from './graph.ts'
import { fitNetwork } from './procedure.ts'
import { renderSchema } from './schema.ts'

/** The year of the data set. Chosen once; no other seed was tried. */
const SEED = 1994
const FINAL_STREAM = 20

function fileBeside(name: string): URL {
  return new URL(`../${name}`, import.meta.url)
}

function run(rows: readonly CsvRow[]): void {
  const examples = examplesOf(rows, modelFeatures)
  const withAge = examplesOf(rows, [...modelFeatures, ageFeature])
  const results = crossValidate(examples, withAge, SEED, (done, total) => console.error(`fold ${done} of ${total}`))
  const { quantised, weightDecay } = fitNetwork(examples, [SEED, FINAL_STREAM])
  const figures = figuresOf(results, rows, SEED, weightDecay)
  const card = readFileSync(fileBeside('MODEL_CARD.md'), 'utf8')
  writeFileSync(fileBeside('credit.onnx'), encodeModel(quantised, indicatorsOf(modelFeatures), modelFeatures.length))
  writeFileSync(fileBeside('features.json'), renderSchema(modelFeatures))
  writeFileSync(fileBeside('figures.json'), `${JSON.stringify(figures, null, 2)}\n`)
  writeFileSync(fileBeside('MODEL_CARD.md'), renderCard(card, figures))
}

const [csvPath] = process.argv.slice(2)
if (csvPath === undefined) {
  console.error('usage: npx tsx models/credit/train/main.ts PATH_TO_CSV')
  process.exitCode = 2
} else {
  run(parseCsv(readFileSync(csvPath, 'utf8')))
}
