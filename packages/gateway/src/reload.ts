/** What a running gateway takes over from a configuration that was read again. */
import type { Config } from './config/config.ts'

/** Everything else stays as it was at the start. */
const RELOADED: ReadonlySet<keyof Config> = /* @__PURE__ */ new Set(['deployments', 'upstreams', 'writers'])

/** Names of the settings that differ and need a restart. */
export function settingsForRestart(running: Config, next: Config): readonly string[] {
  const names = Object.keys(next) as (keyof Config)[]
  return names.filter((name) => !RELOADED.has(name) && JSON.stringify(running[name]) !== JSON.stringify(next[name]))
}
