/** `countersign inspect`: what a dossier says, without checking any of it. */
import {
  parseDossier,
  parsePromise,
  parseStatement,
  statementDigest,
  toHex,
  type UnverifiedReceipt,
} from '@countersign/verify'
import { createNodeCrypto } from '@countersign/verify/crypto/node'
import type { Command } from 'commander'
import { formatJson } from '../files.ts'
import { readFrom } from '../named-file.ts'
import { paint, print } from '../terminal.ts'

const EXAMPLES = `
Examples:
  countersign inspect answer.json
  countersign inspect answer.json --json | less

Exit codes: 0 shown, and nothing was checked; 2 bad usage, or a file that cannot be read.`

export function addInspect(program: Command): void {
  program
    .command('inspect')
    .description('show what a dossier says; checks nothing')
    .argument('<dossier>', 'dossier file')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((file: string, options: { json?: boolean }) => {
      const dossier = readFrom(file, (content) => parseDossier(content))
      const content = {
        checked: false,
        receipt: dossier.receiptId,
        answer: describeReceipt(dossier.receipt),
        promise: dossier.promise === undefined ? null : describePromise(dossier.promise.text),
        openings: dossier.openings.map(({ subjects, content }) => ({ subjects, content: printable(content) })),
        statements: dossier.statements.map(describeReceipt),
        evidence: dossier.evidence.map(({ mediaType, content }) => ({ mediaType, bytes: content.length })),
      }
      if (!options.json)
        print(paint('yellow', 'What the file says. Nothing of it was checked: use countersign verify.\n'))
      print(formatJson(content).trimEnd())
    })
}

function describeReceipt(receipt: UnverifiedReceipt) {
  const crypto = createNodeCrypto()
  const { payload } = receipt.envelope
  return {
    statement: statementDigest(crypto, payload),
    signedWith: toHex(crypto.sha256(receipt.leaf.spki)),
    index: receipt.index,
    checkpoint: receipt.checkpoint.text.trimEnd().split('\n'),
    content: parseStatement(payload),
  }
}

function describePromise(text: string) {
  const { leafHash, ...rest } = parsePromise(text)
  return { ...rest, leafHash: toHex(leafHash) }
}

/** Text where it is text, else hexadecimal; the first 4,096 characters. */
function printable(content: Uint8Array): string {
  const text = Buffer.from(content).toString('utf8')
  return (text.includes('\uFFFD') ? toHex(content) : text).slice(0, 4096)
}
