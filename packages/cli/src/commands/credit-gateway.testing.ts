/** What a gateway of the bundled credit model is made of, for tests in a folder of their own. */
import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bundledModels } from '../files.ts'

/** Writes a new key as `NAME.pem`, and its public half as `NAME.pub.pem`. */
export function writeKeyPair(folder: string, name: string): void {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  writeFileSync(join(folder, `${name}.pem`), privateKey.export({ format: 'pem', type: 'pkcs8' }))
  writeFileSync(join(folder, `${name}.pub.pem`), publicKey.export({ format: 'pem', type: 'spki' }))
}

/** A configuration whose one deployment `credit` waits for the party with the key `NAME.pub.pem`. */
export function creditConfig(accountable: string, more = ''): string {
  return `format: countersign-config/v1
listen: { port: 0 }
data: data
operator: { name: Test Operator, contact: operator@example.org }
deployments:
  credit:
    model: { path: ${join(bundledModels(), 'credit', 'credit.onnx')}, agreement: exact }
    accountable: { party: Test Lender, contact: appeals@example.org, publicKey: ${accountable}.pub.pem }
${more}`
}
