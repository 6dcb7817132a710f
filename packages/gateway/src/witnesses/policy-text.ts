/** The witnesses that an operator asks, as a tlog-policy without its log. @spec C2SP tlog-policy (draft) */
import {
  CountersignError,
  type Crypto,
  formatNoteKey,
  NOTE_ED25519,
  noteKey,
  parseTlogPolicy,
  quote,
  type TlogPolicy,
} from '@countersign/verify'

/** Most witnesses that are asked. */
export const MAX_WITNESSES = 32

/** Stands for the log where its key is not known yet. No witness can have it. */
const NO_LOG = { name: 'log.invalid', publicKey: new Uint8Array(32) }

/**
 * The whole policy: the operator's lines, and the log's own. A `quorum` line may be missing: deployments say what they
 * need.
 */
export function completePolicy(text: string, logKey: string): string {
  const quorum = hasQuorum(text) ? '' : 'quorum none\n'
  return `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${quorum}log ${logKey}\n`
}

/** Whether the text has a `quorum` line of its own. */
export function hasQuorum(text: string): boolean {
  return keywords(text).includes('quorum')
}

/**
 * Reads the operator's lines: witnesses, each with the address that it is asked at, and groups.
 *
 * @throws {CountersignError} `policy/malformed` with the line
 */
export function parseWitnessPolicy(crypto: Crypto, text: string): TlogPolicy {
  const line = keywords(text).indexOf('log')
  if (line >= 0) throw malformed(line + 1, 'leave log lines out: the gateway asks for its own log alone')
  const log = formatNoteKey(noteKey(crypto, NO_LOG.name, NOTE_ED25519, NO_LOG.publicKey))
  const policy = parseTlogPolicy(crypto, completePolicy(text, log))
  const lineOf = (name: string) => text.split('\n').findIndex((each) => each.trim().split(/[ \t]+/)[1] === name) + 1
  for (const { name, url } of policy.witnesses) {
    if (url === undefined || !isAddress(url)) {
      throw malformed(lineOf(name), `witness ${quote(name)} needs a URL such as https://witness.example.org`)
    }
  }
  if (policy.witnesses.length === 0) throw malformed(1, 'a witness line is missing')
  if (policy.witnesses.length > MAX_WITNESSES) throw malformed(1, `at most ${MAX_WITNESSES} witnesses are asked`)
  return policy
}

/** Names that a quorum may have. */
export function quorumNames({ witnesses, groups }: TlogPolicy): readonly string[] {
  return [...witnesses, ...groups].map(({ name }) => name)
}

function isAddress(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || !/^[a-z0-9.:[\]_-]{1,200}$/.test(url.host)) return false
  return `${url.username}${url.password}${url.search}${url.hash}` === ''
}

function keywords(text: string): readonly (string | undefined)[] {
  return text.split('\n').map((line) => line.split(/[ \t]+/).find((word) => word !== ''))
}

function malformed(line: number, why: string): CountersignError {
  return new CountersignError('policy/malformed', `policy line ${line}: ${why}`)
}
