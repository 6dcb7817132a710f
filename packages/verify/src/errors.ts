/**
 * Every error code there is, in one closed list. `spec/errors.md` says for each what the caller should do.
 *
 * Codes are stable: they may be added, never renamed, and a program may branch on them.
 */
export const ERROR_CODES = [
  // bytes
  'bytes/bad-base64',
  'bytes/bad-hex',
  'bytes/bad-utf8',
  'bytes/too-large',
  'json/malformed',
  'json/duplicate-key',
  'json/too-deep',
  'yaml/malformed',
  // shapes
  'shape/wrong-type',
  'shape/missing-field',
  'shape/unknown-field',
  'shape/bad-value',
  // keys and signatures
  'key/malformed',
  'signature/malformed',
  'signature/invalid',
  'signature/unknown-key',
  // statements
  'dsse/wrong-payload-type',
  'statement/wrong-type',
  'statement/too-large',
  'statement/mismatch',
  'opening/commitment-mismatch',
  'opening/missing',
  // log
  'proof/index-out-of-range',
  'proof/wrong-length',
  'proof/root-mismatch',
  'proof/bad-hash',
  'note/malformed',
  'note/no-known-signature',
  'note/bad-signature',
  'checkpoint/malformed',
  'checkpoint/wrong-origin',
  'policy/malformed',
  'policy/unknown-log',
  'policy/quorum-unmet',
  'witness/malformed',
  'witness/quorum-overdue',
  'tile/malformed',
  'leaf/malformed',
  'leaf/mismatch',
  'promise/malformed',
  'promise/mismatch',
  'bundle/malformed',
  // dossiers, trust, verdicts
  'dossier/wrong-receipt',
  'trust/malformed',
  'require/malformed',
  'independence/too-many',
  'misbehaviour/not-proven',
  'misbehaviour/proven',
  'audit/other-seed',
  'audit/epoch-moved',
  'audit/other-sample',
  'audit/wrong-count',
  // attestation
  'der/malformed',
  'cbor/malformed',
  'certificate/malformed',
  'certificate/wrong-chain',
  'certificate/not-current',
  'certificate/revoked',
  'evidence/malformed',
  'evidence/unsupported',
  'evidence/mismatch',
  'evidence/refused',
  'collateral/missing',
  'collateral/malformed',
  'collateral/not-current',
  'place-policy/malformed',
  'place-policy/empty',
  'place/not-shown',
  'place/unreachable',
  // execution
  'execution/unsupported',
  'execution/model-not-found',
  'execution/model-digest-mismatch',
  'execution/profile-unmet',
  'execution/engine-missing',
  'execution/failed',
  'execution/output-differs',
  'execution/inexact',
  'tensor/malformed',
  'tensor/wrong-name',
  'tensor/wrong-shape',
  'tensor/wrong-datatype',
  // gateway
  'config/malformed',
  'config/unsafe-listen',
  'config/missing-file',
  'data/locked',
  'data/newer-version',
  'data/damaged',
  'data/unsafe-journal-mode',
  'log/fork',
  'log/head-behind-published',
  'log/head-changed',
  'log/closed',
  'log/recovering',
  'clock/went-backwards',
  'disk/full',
  'queue/full',
  'rate/limited',
  'request/too-large',
  'request/unsupported-encoding',
  'request/malformed',
  'request/not-found',
  'request/wrong-method',
  'request/in-progress',
  'request/key-reused',
  'model/not-found',
  'upstream/unreachable',
  'upstream/timeout',
  'upstream/reset',
  'upstream/malformed',
  'upstream/too-large',
  'upstream/busy',
  'receipt/not-found',
  'receipt/not-yet-included',
  'auth/missing',
  'auth/wrong',
  'auth/unknown-key',
  'auth/revoked-key',
  'auth/expired-key',
  'auth/not-allowed',
  'budget/exceeded',
  'budget/other-currency',
  'writer/not-allowed',
  'writer/quota',
  'vault/erased',
  'vault/no-content',
  'vault/subject-key',
  'vault/wrong-key',
  // watching
  'watch/unreachable',
  'watch/bad-answer',
  'watch/not-found',
  // command line
  'usage/invalid',
  'file/unreadable',
  'gateway/unreachable',
  'gateway/refused',
] as const

export type ErrorCode = (typeof ERROR_CODES)[number]

/**
 * The one error type. `code` is for programs, `message` for people; a message says what to do next where it can.
 *
 * A message may quote input, bounded and escaped; it never carries a secret, a path of the server, or a stack.
 */
export class CountersignError extends Error {
  override readonly name = 'CountersignError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

/** The code of a thrown value, or `undefined` when it is not one of ours. */
export function codeOf(thrown: unknown): ErrorCode | undefined {
  return thrown instanceof CountersignError ? thrown.code : undefined
}

/** Quotes untrusted text for a message: at most 80 characters, control characters escaped. */
export function quote(text: string): string {
  const short = text.length > 80 ? `${text.slice(0, 80)}…` : text
  return JSON.stringify(short)
}
