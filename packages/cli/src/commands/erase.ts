/** `countersign erase`: erases the content of a receipt, or all that is kept of a data subject, at a running gateway. */
import { readSync } from 'node:fs'
import { join } from 'node:path'
import { keyPaths } from '@countersign/gateway'
import { CountersignError, ERASURE_REASONS, Fields, parseUtf8, quote } from '@countersign/verify'
import { type Command, Option } from 'commander'
import { readInput } from '../files.ts'
import { DEFAULT_GATEWAY, deleteJson, parseGatewayAddress } from '../gateway-client.ts'
import { print } from '../terminal.ts'

interface EraseOptions {
  readonly subjectFile?: string
  readonly reason: string
  readonly gateway: string
  readonly data: string
  readonly tokenFile?: string
  readonly yes?: boolean
  readonly json?: boolean
}

/** Stands for standard input in place of a file. */
const STDIN = '-'
const MAX_SUBJECT_FILE_BYTES = 1024

const EXAMPLES = `
Erasing is final. The records stay and verify; nobody can open their content with the gateway's help any more. Who is to be
erased is read from a file or from standard input (-): an argument would stand in lists of processes and in histories.

Examples:
  countersign erase 17e0e5c72a5c346a4ef8d6c1c5ec6940 --yes
  countersign erase --subject-file subject.txt --yes
  printf %s "$SUBJECT" | countersign erase --subject-file - --reason retention-ended --yes

Exit codes: 0 erased, or nothing to do without --yes; 2 bad usage, a gateway that refuses, or none there.`

export function addErase(program: Command): void {
  program
    .command('erase')
    .description('erase the content of a receipt, or all that is kept of a data subject')
    .argument('[receipt]', 'id of the receipt')
    .option('--subject-file <file>', 'the data subject, as requests name it in Countersign-Subject, but not encoded')
    .addOption(new Option('--reason <reason>', 'why').choices(ERASURE_REASONS).default('requested'))
    .option('--gateway <url>', 'where the gateway is', parseGatewayAddress, DEFAULT_GATEWAY)
    .option('--data <folder>', 'data folder of the gateway, for the operator’s token', 'countersign-data')
    .option('--token-file <file>', 'file with the operator’s token, or with an API key that may erase')
    .option('--yes', 'erase: it cannot be undone')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action(erase)
}

async function erase(receipt: string | undefined, options: EraseOptions): Promise<void> {
  const { gateway, reason, subjectFile } = options
  if ((receipt === undefined) === (subjectFile === undefined)) {
    throw new CountersignError('usage/invalid', 'name either a receipt or a --subject-file')
  }
  if (receipt !== undefined && !/^[0-9a-f]{32}$/.test(receipt)) {
    throw new CountersignError('usage/invalid', `${quote(receipt)} is not the id of a receipt`)
  }
  const subject = subjectFile === undefined ? undefined : readSubjectFile(subjectFile)
  const authorization = `Bearer ${readToken(options)}`
  if (!options.yes) {
    print('Nothing was erased: pass --yes to erase, for good.')
    return
  }
  const query = `?reason=${encodeURIComponent(reason)}`
  if (subject === undefined) {
    await deleteJson(`${gateway}/receipts/${receipt}/content${query}`, { authorization })
    print(options.json ? JSON.stringify({ receipt, erased: true }) : `erased: the content of ${receipt}`)
    return
  }
  const headers = { authorization, 'countersign-subject': encodeURIComponent(subject) }
  const erased = new Fields(await deleteJson(`${gateway}/subjects${query}`, headers), 'answer').integer('erased')
  print(options.json ? JSON.stringify({ erased }) : `erased: the content of ${erased} receipts`)
}

/** The subject in a file; a line feed at the end is the editor's. Never quoted. */
function readSubjectFile(path: string): string {
  const bytes = path === STDIN ? readStdin() : readInput(path)
  if (bytes.length > MAX_SUBJECT_FILE_BYTES) {
    throw new CountersignError('file/unreadable', `a data subject has at most ${MAX_SUBJECT_FILE_BYTES} bytes`)
  }
  const subject = parseUtf8(new Uint8Array(bytes)).replace(/\r?\n$/, '')
  if (subject === '') throw new CountersignError('file/unreadable', 'there is no data subject in it')
  return subject
}

/** Standard input to its end, or to more than a subject has. */
function readStdin(): Uint8Array {
  const buffer = new Uint8Array(MAX_SUBJECT_FILE_BYTES + 1)
  let length = 0
  for (let read = 1; read > 0 && length < buffer.length; length += read) read = readSync(0, buffer, { offset: length })
  return buffer.subarray(0, length)
}

function readToken({ data, tokenFile }: EraseOptions): string {
  const bytes = readInput(tokenFile ?? keyPaths(join(data, 'keys')).operatorToken)
  const token = Buffer.from(bytes).toString('latin1').trim()
  if (!/^[!-~]{1,256}$/.test(token)) throw new CountersignError('key/malformed', 'the file does not hold a token')
  return token
}
