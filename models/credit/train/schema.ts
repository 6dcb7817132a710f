import type { Feature } from './features.ts'
import { inputName, outputNames } from './graph.ts'

/**
 * The text of features.json: all that is needed to turn an application into the model's input tensor and to read its
 * outputs.
 */
export function renderSchema(features: readonly Feature[]): string {
  const schema = {
    format: 'countersign-features/v1',
    model: 'credit.onnx',
    input: {
      name: inputName,
      type: 'float32',
      shape: ['batch', features.length],
      encoding:
        'One row per application, one column per feature in the order below: the index into codes, or the number as it stands.',
    },
    features: features.map((feature) =>
      feature.kind === 'category'
        ? { name: feature.name, kind: feature.kind, label: feature.label, codes: feature.codes }
        : {
            name: feature.name,
            kind: feature.kind,
            label: feature.label,
            unit: feature.unit,
            minimum: feature.minimum,
            maximum: feature.maximum,
          },
    ),
    outputs: [
      {
        name: outputNames.probability,
        type: 'float32',
        shape: ['batch', 1],
        meaning:
          'Estimated probability that the credit turns out bad, at the 30% share of bad credits in the training data.',
      },
      {
        name: outputNames.approve,
        type: 'int64',
        shape: ['batch', 1],
        meaning: '1 approves, 0 declines. Approves when the probability of default is below 1/6.',
      },
    ],
  }
  return `${JSON.stringify(schema, null, 2)}\n`
}
