/** Vectors of one small format: an input, and the value or the error code that reading it must give. */
import type { Json } from '../bytes/json.ts'
import type { Crypto } from '../crypto/crypto.ts'
import { CountersignError, type ErrorCode } from '../errors.ts'

export type Outcome = { readonly value: Json } | { readonly error: ErrorCode }

export interface FormatVector {
  readonly name: string
  readonly input: Json
  readonly expect: Outcome
}

export interface FormatVectors {
  /** Name of the file in `vectors/`, without its ending. */
  readonly file: string
  /** What the input is, what is done with it, what the value is. */
  readonly description: string
  readonly cases: readonly FormatVector[]
  /** Reads one input. */
  run(crypto: Crypto, input: Json): Json
}

/** An input that must give a value. */
export function gives(name: string, input: Json, value: Json): FormatVector {
  return { name, input, expect: { value } }
}

/** An input that must be refused. */
export function refused(name: string, input: Json, error: ErrorCode): FormatVector {
  return { name, input, expect: { error } }
}

/** What `run` gives; errors that are not ours pass on. */
export function outcomeOf(run: () => Json): Outcome {
  try {
    return { value: run() }
  } catch (thrown) {
    if (thrown instanceof CountersignError) return { error: thrown.code }
    throw thrown
  }
}

/** A text field of an input. */
export function textOf(input: Json, name: string): string {
  const value = (input as { readonly [key: string]: Json })[name]
  if (typeof value !== 'string') throw new TypeError(`the vector's input has no text ${name}`)
  return value
}

/** An integer field of an input. */
export function numberOf(input: Json, name: string): number {
  const value = (input as { readonly [key: string]: Json })[name]
  if (typeof value !== 'number') throw new TypeError(`the vector's input has no number ${name}`)
  return value
}
