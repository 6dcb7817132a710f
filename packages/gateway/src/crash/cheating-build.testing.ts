/**
 * Builds of the gateway that break one rule each: a line of a compiled module is another. They are what the crash tests
 * must catch.
 */
import { register } from 'node:module'

export interface CheatingBuild {
  readonly name: string
  /** End of the module's address. */
  readonly module: string
  /** What stands there, once, and what is put in its place. */
  readonly line: string
  readonly instead: string
  /** What a problem says that shows it. */
  readonly caught: RegExp
}

export const CHEATING_BUILDS: readonly CheatingBuild[] = [
  {
    name: 'does not wait for the sync of the intent before the first byte',
    module: '/relay/stream.js',
    line: 'await whenDurable(',
    instead: 'void whenDurable(',
    caught: /^lost: receipt [0-9a-f]{32} answers 404/,
  },
  {
    name: 'sends the terminal frame before the statement is committed',
    module: '/relay/stream.js',
    line: 'const promised = await concludeExchange(',
    instead: 'response.write(end); const promised = await concludeExchange(',
    caught: /^cut short: [0-9a-f]{32} /,
  },
]

/** From here on, modules are loaded as that build has them. Those that are loaded already stay. */
export function loadAs(build: string): void {
  const cheat = CHEATING_BUILDS.find(({ name }) => name === build)
  if (cheat === undefined) throw new Error(`there is no cheating build ${build}`)
  const { module, line, instead } = cheat
  register(new URL('./cheating-loader.testing.js', import.meta.url), { data: { module, line, instead } })
}
