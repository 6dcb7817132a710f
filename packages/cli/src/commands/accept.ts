/** `countersign accept`: an accountable party puts its key under a deployment. */
import { acceptancePayload, loadStatementKey } from '@countersign/gateway'
import {
  CountersignError,
  Fields,
  formatEnvelope,
  type Json,
  parseDeployment,
  parseEnvelope,
  parseStatement,
  preAuthEncoding,
  quote,
  statementDigest,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import type { Command } from 'commander'
import { formatJson } from '../files.ts'
import { DEFAULT_GATEWAY, getJson, parseGatewayAddress, postJson } from '../gateway-client.ts'
import { print } from '../terminal.ts'

interface AcceptOptions {
  readonly key: string
  readonly gateway: string
  readonly yes?: boolean
  readonly json?: boolean
}

const EXAMPLES = `
Examples:
  countersign accept credit --key accountable.pem          shows the manifest; signs nothing
  countersign accept credit --key accountable.pem --yes    signs and sends the acceptance

Make a key with: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out accountable.pem

Exit codes: 0 accepted, or shown; 2 bad usage, a gateway that does not take it, or none there.`

export function addAccept(program: Command): void {
  program
    .command('accept')
    .description('accept to answer for a deployment, with your own key')
    .argument('<deployment>', 'name of the deployment')
    .requiredOption('--key <file>', 'your P-256 private key (PEM); it never leaves this machine')
    .option('--gateway <url>', 'where the gateway is', parseGatewayAddress, DEFAULT_GATEWAY)
    .option('--yes', 'sign: you have read the manifest')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, options: AcceptOptions) => {
      const digest = await findManifest(options.gateway, name)
      const manifest = await readManifest(options.gateway, digest)
      if (!options.json) print(formatJson(manifest))
      if (!options.yes) {
        print(`This is the manifest ${digest}. Nothing was signed: pass --yes to answer for it.`)
        return
      }
      const key = loadStatementKey(options.key, false)
      if (key.keyId !== manifest.accountable.keyId) {
        throw new CountersignError('writer/not-allowed', 'the manifest names another accountable key than yours')
      }
      const payload = acceptancePayload(manifest, digest, Date.now())
      const signature = key.sign(preAuthEncoding(payload))
      const envelope = formatEnvelope({ payload, signature, keyId: key.keyId })
      const result = await postJson(`${options.gateway}/statements`, envelope)
      print(options.json ? JSON.stringify(result) : `accepted: ${JSON.stringify(result)}`)
    })
}

async function findManifest(gateway: string, name: string): Promise<string> {
  const list = new Fields({ deployments: await getJson(`${gateway}/deployments`) }, 'gateway')
  const known = list.list('deployments', 1000, (item, path) => {
    const fields = new Fields(item, path)
    return { name: fields.text('name'), statement: fields.hex('statement', 32) }
  })
  const found = known.find((each) => each.name === name)
  if (found !== undefined) return found.statement
  const names = known.map((each) => each.name).join(', ')
  throw new CountersignError('model/not-found', `the gateway has no deployment ${quote(name)}; it has ${names}`)
}

/** The manifest, read out of the statement's bytes, which must have the digest: what is signed is what is shown. */
async function readManifest(gateway: string, digest: string) {
  const fields = new Fields((await getJson(`${gateway}/statements/${digest}`)) as Json, 'statement')
  const { payload } = parseEnvelope(fields.required('envelope'))
  if (statementDigest(createNodeCrypto(), payload) !== digest) {
    throw new CountersignError('statement/mismatch', 'the gateway gave another statement than the one asked for')
  }
  return parseDeployment(parseStatement(payload))
}
