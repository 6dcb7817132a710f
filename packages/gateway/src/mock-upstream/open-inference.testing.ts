/** An upstream of the Open Inference Protocol: each model gives the sum of all numbers of the input. */
import { codeOf, formatInferenceResponse, parseInferenceRequest } from '@countersign/verify'
import { type Answer, type Call, jsonAnswer } from './answer.testing.ts'
import { OPEN_INFERENCE } from './provider.testing.ts'

export function answerInference({ body, scenario }: Call): Answer {
  try {
    const { id, inputs } = parseInferenceRequest(body)
    const sum = inputs.flatMap(({ data }) => [...data]).reduce<number>((total, each) => total + Number(each), 0)
    const output = { name: 'sum', datatype: 'FP64', shape: [1], data: Float64Array.of(sum) } as const
    const response = formatInferenceResponse({ modelName: scenario.servedModel, id, outputs: [output] })
    return { ...jsonAnswer(200, {}, ''), body: response }
  } catch (thrown) {
    return OPEN_INFERENCE.error(400, `the request is malformed: ${codeOf(thrown) ?? 'unknown'}`, '')
  }
}

export function answerModelMetadata({ scenario }: Call): Answer {
  const metadata = {
    name: scenario.model,
    platform: 'mock-upstream',
    inputs: [{ name: 'input', datatype: 'FP64', shape: [-1] }],
    outputs: [{ name: 'sum', datatype: 'FP64', shape: [1] }],
  }
  return jsonAnswer(200, {}, JSON.stringify(metadata))
}

export function answerModelReady({ scenario }: Call): Answer {
  return jsonAnswer(200, {}, JSON.stringify({ name: scenario.model, ready: true }))
}
