/** A gateway in a process of its own, as an operator would run it. */
import { fileURLToPath } from 'node:url'
import { Processes } from './processes.ts'

export interface GatewayProcess {
  readonly url: string
  /** Lets it end in order. */
  stop(): Promise<void>
}

/** The command's own program, for starting fresh processes. */
export function countersignProgram(): string {
  return fileURLToPath(new URL('../../bin/countersign.js', import.meta.url))
}

/**
 * Starts the labelled example on a free port, with the witnesses of a policy where one is given.
 *
 * @throws {CountersignError} `gateway/unreachable`
 */
export async function startGateway(
  dataFolder: string,
  { processes = new Processes(), policyFile }: { readonly processes?: Processes; readonly policyFile?: string } = {},
): Promise<GatewayProcess> {
  const witnesses = policyFile === undefined ? [] : ['--witnesses', policyFile]
  const { said, stop } = await processes.start(
    [countersignProgram(), 'serve', '--data', dataFolder, '--port', '0', ...witnesses],
    (output) => / at (http:\/\/\S+)\n/.exec(output)?.[1],
  )
  return { url: said, stop }
}
