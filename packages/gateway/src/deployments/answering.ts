/** Which deployment answers to the name of a model. */
import type { Deployment, RelayDeployment } from './deployments.ts'

/**
 * The deployment that answers to `model`: the one that lists the very name, or else the longest of those patterns that end
 * in `*` and begin like it.
 */
export function findAnswering(deployments: readonly Deployment[], model: string): RelayDeployment | undefined {
  let found: RelayDeployment | undefined
  let length = -1
  for (const deployment of deployments) {
    if (deployment.kind !== 'relay') continue
    for (const pattern of deployment.answersTo) {
      if (pattern === model) return deployment
      if (pattern.endsWith('*') && pattern.length > length && model.startsWith(pattern.slice(0, -1))) {
        found = deployment
        length = pattern.length
      }
    }
  }
  return found
}
