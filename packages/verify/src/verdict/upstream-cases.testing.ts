/** What can be said of answers that language models gave: behind an upstream, or loaded by the operator. */
import type { Json } from '../bytes/json.ts'
import { formatTensor } from '../execution/tensor.ts'
import { NOW_MS } from '../fixture.testing.ts'
import { buildScene, MODEL_DIGEST, type SceneOptions, sceneDossier } from '../scene.testing.ts'
import type { Attempt, InferencePredicate } from '../statement/inference.ts'
import type { ServedUpstream } from '../statement/routing.ts'
import { expectRows, NO_OWNERS, PLAIN_FAILING, type VerdictCase, verdictCase } from './verdict-case.testing.ts'

const UPSTREAMS: readonly ServedUpstream[] = [
  { name: 'provider', kind: 'openai', origin: 'https://api.example.org', model: 'large-1', weight: 1, rank: 0 },
  { name: 'spare', kind: 'anthropic', origin: 'https://spare.example.org:8443', weight: 1, rank: 1 },
]

const ANSWERED: Attempt = {
  upstream: 'provider',
  outcome: 'answered',
  status: 200,
  model: 'large-1',
  requestId: 'req 1 — of the provider',
  tlsCertificate: 'cd'.repeat(32),
  startedAtMs: NOW_MS,
  endedAtMs: NOW_MS + 2,
}

const UNKNOWN: InferencePredicate['model'] = { requested: 'large', served: 'large-1-0613', digestSource: 'unknown' }

/** The scene of an answer that came through an upstream. */
export function upstreamScene(predicate: Partial<InferencePredicate> = {}): SceneOptions {
  return {
    withoutEngine: true,
    predicate: {
      model: UNKNOWN,
      usage: { inputTokens: 9, outputTokens: 3 },
      finish: { reason: 'stop' },
      attempts: [ANSWERED],
      reported: { id: 'chat-1', systemFingerprint: 'fp_1' },
      ...predicate,
    },
    deployment: {
      ...{ models: [], upstreams: UPSTREAMS, answersTo: ['large', 'large-*'] },
      changes: [{ op: 'set-default', path: '/temperature', value: 0.5 }],
      cache: { maxAgeSeconds: 600 },
      prices: [{ item: 'output-tokens', amountMicros: 600_000, currency: 'USD', per: 1_000_000 }],
    },
  }
}

const LLAMA = { name: 'node-llama-cpp', version: '3.22.1', profile: 'llama-profile' }

/** The scene of an answer by a language model that the operator loaded. */
export function llamaScene(predicate: Partial<InferencePredicate> = {}): SceneOptions {
  const attempt = { upstream: 'llama:credit', outcome: 'answered' as const, startedAtMs: NOW_MS, endedAtMs: NOW_MS + 2 }
  return {
    predicate: { engine: LLAMA, finish: { reason: 'stop' }, attempts: [attempt], ...predicate },
    model: { engine: LLAMA, referenceProfile: LLAMA.profile, agreement: 'tolerant' },
    deployment: { upstreams: [{ name: 'llama:credit', kind: 'llama', origin: 'embedded', weight: 1, rank: 0 }] },
  }
}

export function upstreamCases(): readonly VerdictCase[] {
  return [...routedCases(), ...loadedCases()]
}

type Rows = Parameters<typeof expectRows>[0]

function played(
  name: string,
  description: string,
  options: SceneOptions,
  rows: Rows,
  failing: readonly string[],
  by?: string,
): VerdictCase {
  const scene = buildScene(options)
  const expect = expectRows(rows, failing, by)
  return verdictCase(name, description, { trust: scene.trustText, dossier: sceneDossier(scene), expect })
}

function routedCases(): readonly VerdictCase[] {
  const astray = (name: string, description: string, attempts: readonly Attempt[]) =>
    played(
      name,
      description,
      upstreamScene({ attempts }),
      { model: 'refuted' },
      ['model/digest', 'model/route', ...PLAIN_FAILING],
      'model/route',
    )
  const failed: Attempt = { ...ANSWERED, upstream: 'elsewhere', outcome: 'failed' }
  return [
    played(
      'upstream-answered',
      'An answer through an upstream whose weights nobody here loaded.',
      upstreamScene(),
      { model: 'unproven' },
      ['model/digest', ...PLAIN_FAILING],
    ),
    played(
      'upstream-of-higher-rank-answered',
      'The first upstream failed, and the next one was sent the name that was asked for.',
      upstreamScene({
        attempts: [
          { ...ANSWERED, outcome: 'failed', status: 503, code: 'upstream/busy' },
          { ...ANSWERED, upstream: 'spare', model: 'large' },
        ],
      }),
      { model: 'unproven' },
      ['model/digest', ...PLAIN_FAILING],
    ),
    played(
      'upstream-answer-repeated',
      'The answer came from the cache, and repeats that of another receipt.',
      upstreamScene({ attempts: [], observations: ['cache-hit'], repeats: 'ab'.repeat(16) }),
      { model: 'unproven' },
      ['model/digest', ...PLAIN_FAILING],
    ),
    astray('upstream-not-in-manifest', 'The answer came through an upstream that the manifest does not name.', [
      { ...ANSWERED, upstream: 'elsewhere' },
    ]),
    astray('upstream-tried-not-in-manifest', 'The request was sent to an upstream that the manifest does not name.', [
      failed,
      ANSWERED,
    ]),
    astray('upstream-sent-another-model', 'The upstream was asked for another model than the manifest says.', [
      { ...ANSWERED, model: 'small-1' },
    ]),
    played(
      'cache-hit-without-receipt',
      'An answer from the cache that does not say what it repeats.',
      upstreamScene({ observations: ['cache-hit'] }),
      { record: 'refuted' },
      ['record/statement'],
      'record/statement',
    ),
  ]
}

function loadedCases(): readonly VerdictCase[] {
  const output = formatTensor({ name: 'y', datatype: 'FP32', shape: [1, 1], data: Float32Array.of(0.25) })
  const runAgain = (name: string, description: string, options: SceneOptions, rows: Rows, more: readonly string[]) => {
    const scene = buildScene(options)
    const ran: Json = {
      ...{ statement: scene.statement, outcome: 'ran', modelDigest: MODEL_DIGEST, profile: LLAMA.profile },
      outputs: [output],
    }
    const expect = expectRows(rows, [...more, 'output/manifest', NO_OWNERS])
    const dossier = sceneDossier(scene)
    return verdictCase(name, description, { trust: scene.trustText, dossier, executions: [ran], expect })
  }
  return [
    played(
      'language-model-loaded',
      'The operator loaded the file of a language model.',
      llamaScene(),
      {},
      PLAIN_FAILING,
    ),
    played(
      'language-model-on-another-engine',
      'The manifest allows the language model, on another version of the engine.',
      llamaScene({ engine: { ...LLAMA, version: '3.0.0' } }),
      { model: 'refuted' },
      ['model/manifest', ...PLAIN_FAILING],
      'model/manifest',
    ),
    runAgain(
      'language-model-run-again',
      'Somebody ran a language model again: its answers are not compared.',
      llamaScene(),
      {},
      [],
    ),
    runAgain(
      'language-model-embedding-run-again',
      'The same for an answer that is no text.',
      llamaScene({ finish: { reason: 'complete' } }),
      {},
      [],
    ),
    runAgain(
      'upstream-answer-run-again',
      'Somebody ran a model again for an answer whose weights nobody knows.',
      upstreamScene({ finish: { reason: 'complete' } }),
      { model: 'unproven' },
      ['model/digest'],
    ),
  ]
}
