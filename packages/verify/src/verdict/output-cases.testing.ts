/** What running the model again says of an answer. */
import type { Json } from '../bytes/json.ts'
import { withValueAt } from '../bytes/json-edit.testing.ts'
import { formatTensor } from '../execution/tensor.ts'
import { buildScene, MODEL_DIGEST, sceneDossier } from '../scene.testing.ts'
import { expectRows, NO_OWNERS, NOT_RUN, type VerdictCase, verdictCase } from './verdict-case.testing.ts'

const OTHER_DIGEST = 'ab'.repeat(32)

export function outputCases(): readonly VerdictCase[] {
  return [...comparedCases(), ...uncomparedCases()]
}

const scene = buildScene()
const honest = sceneDossier(scene)

const tensor = (value: number, shape = [1, 1]) =>
  formatTensor({ name: 'y', datatype: 'FP32', shape, data: Float32Array.of(value) })

/** The result of a run, as a vector carries it. */
function ran(outputs: readonly Json[], more: { readonly [key: string]: Json } = {}): Json {
  return {
    statement: scene.statement,
    outcome: 'ran',
    modelDigest: MODEL_DIGEST,
    profile: 'reference-profile',
    outputs,
    ...more,
  }
}

function build(
  name: string,
  description: string,
  execution: Json,
  rows: Parameters<typeof expectRows>[0],
  failing: readonly string[],
  by?: string,
): VerdictCase {
  return verdictCase(name, description, {
    trust: scene.trustText,
    dossier: honest,
    executions: [execution],
    expect: expectRows(rows, [...failing, NO_OWNERS], by),
  })
}

function comparedCases(): readonly VerdictCase[] {
  const tolerant = buildScene({ model: { agreement: 'tolerant' } })
  const disagrees = ['output/agreement'] as const
  return [
    build(
      'output-re-executed',
      'Running the model again gave the same output.',
      ran([tensor(0.25)]),
      { output: 're-executed' },
      [],
    ),
    build(
      'output-differs',
      'Exact agreement is promised, and the output differs.',
      ran([tensor(0.2500001)]),
      { output: 'refuted' },
      disagrees,
      disagrees[0],
    ),
    build(
      'output-of-another-shape',
      'The output has another shape.',
      ran([tensor(0.25, [1])]),
      { output: 'refuted' },
      disagrees,
      disagrees[0],
    ),
    build(
      'output-with-one-more',
      'There is an output more than the answer has.',
      ran([tensor(0.25), tensor(1)]),
      { output: 'refuted' },
      disagrees,
      disagrees[0],
    ),
    {
      ...build(
        'output-differs-tolerated',
        'The output differs, and only tolerant agreement is promised.',
        ran([tensor(0.26)], { statement: tolerant.statement }),
        { output: 'unproven' },
        disagrees,
      ),
      trust: tolerant.trustText,
      dossier: sceneDossier(tolerant),
    },
  ]
}

function uncomparedCases(): readonly VerdictCase[] {
  const unavailable = (code: string): Json => ({
    ...{ statement: scene.statement, outcome: 'unavailable', code },
    reason: 'the model could not be run here',
  })
  const same = ran([tensor(0.25)])
  return [
    build(
      'output-for-another-statement',
      'The execution is for another statement.',
      ran([tensor(0.25)], { statement: OTHER_DIGEST }),
      {},
      [NOT_RUN],
    ),
    build(
      'output-in-another-profile',
      'Another profile was run than the manifest names.',
      ran([tensor(0.25)], { profile: 'served-profile' }),
      {},
      ['output/model-file'],
    ),
    build(
      'output-of-another-file',
      'Another file was run than the manifest names.',
      ran([tensor(0.25)], { modelDigest: OTHER_DIGEST }),
      {},
      ['output/model-file'],
    ),
    build('output-model-unavailable', 'The model’s file was not found.', unavailable('execution/model-not-found'), {}, [
      NOT_RUN,
    ]),
    build('output-file-unreadable', 'The model’s file could not be read.', unavailable('file/unreadable'), {}, [
      NOT_RUN,
    ]),
    {
      ...build('output-not-opened', 'The response is not opened, so there is nothing to compare with.', same, {}, [
        'output/answer',
      ]),
      dossier: withValueAt(honest, ['openings', 1], undefined),
    },
  ]
}
