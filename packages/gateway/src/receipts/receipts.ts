/** Receipts and dossiers out of what is stored. */
import {
  CHECKPOINT_MEDIA_TYPE,
  COLLATERAL_MEDIA_TYPE,
  CountersignError,
  type Crypto,
  type DossierOpening,
  EVIDENCE_MEDIA_TYPE,
  formatBundle,
  formatDossier,
  formatLeaf,
  formatPromise,
  formatPromiseHeader,
  fullKeyId,
  type Inference,
  type Json,
  parseAcceptance,
  parseAppraisal,
  parseDeployment,
  parseInference,
  parseNote,
  parseStatement,
  type StatementDigest,
  saltFor,
  toHex,
  utf8,
  verifyAcceptance,
} from '@countersign/verify'
import type { LogKey } from '../data/keys.ts'
import type { LogService } from '../log/log-service.ts'
import type { SignedHead } from '../log/sequencer.ts'
import type { EvidenceFolder } from '../place/evidence-folder.ts'
import type { StatementReader, StatementRow } from '../store/statement-reader.ts'
import type { KeyStore } from '../vault/key-store.ts'
import { openContent, saltSeed, type VaultContent } from '../vault/record.ts'
import type { ChosenHead, Witnessing } from '../witnesses/witnessing.ts'
import { AuditResults } from './audit-results.ts'

export interface ReceiptsOptions {
  readonly crypto: Crypto
  readonly log: LogService
  readonly logKey: LogKey
  readonly statements: StatementReader
  /** Reads keys; never writes. */
  readonly vaultKeys: KeyStore
  readonly witnessing: Witnessing
  /** Evidence and collateral that statements name. */
  readonly evidence: Pick<EvidenceFolder, 'find'>
}

/** What there is of an answer's content: it is there, it is gone, or it never was. */
export type Kept = 'content' | 'erased' | 'nothing'

export class Receipts {
  readonly audits: AuditResults
  readonly #options: ReceiptsOptions

  constructor(options: ReceiptsOptions) {
    this.#options = options
    this.audits = new AuditResults(options.statements)
  }

  /** The answer's row. @throws {CountersignError} `receipt/not-found` */
  find(receipt: string): StatementRow {
    const row = this.#options.statements.byReceipt(receipt)
    if (row === undefined) throw new CountersignError('receipt/not-found', 'there is no such receipt')
    return row
  }

  /**
   * The receipt of a statement as a Sigstore bundle, under the head that {@link choose} chooses unless another is given.
   *
   * @throws {CountersignError} `receipt/not-yet-included`
   */
  bundle(row: StatementRow, head: SignedHead = this.choose(row).head): Json {
    const { crypto, log, logKey } = this.#options
    const { payload, signature, spki } = row
    const keyId = toHex(crypto.sha256(spki))
    return formatBundle({
      envelope: { payload, signature, keyId },
      keyHint: keyId,
      logKeyId: fullKeyId(crypto, logKey.note),
      index: row.index,
      treeSize: head.size,
      root: head.root,
      path: log.reader.inclusionPath(row.index, head.size),
      checkpoint: head.note,
      leafBytes: formatLeaf({ payloadHash: row.digest, signature, spki }),
    })
  }

  /**
   * The newest head that the witnesses of the statement's deployment confirmed, when it covers the statement; else the
   * newest head.
   *
   * @throws {CountersignError} `receipt/not-yet-included`
   */
  choose({ name, index }: StatementRow): ChosenHead {
    return this.#options.witnessing.choose(name, index)
  }

  /** The promise that went out with an answer: the same bytes, for its signature is deterministic. */
  promise(row: StatementRow): string {
    const { logKey } = this.#options
    const { index, leafHash, coverBySeconds } = row
    const receipt = this.inference(row).receipt
    const statement = toHex(row.digest)
    return logKey.signNote(
      formatPromise({ origin: logKey.note.name, receipt, statement, index, leafHash, coverBySeconds }),
    )
  }

  /**
   * The dossier of an answer: its receipt, its openings, and the receipts of the statements that it leads to, all under
   * one head. What no head covers yet is left out.
   *
   * @throws {CountersignError} `receipt/not-yet-included`, `vault/wrong-key`, `data/damaged`
   */
  dossier(row: StatementRow): { readonly json: Json; readonly isWitnessed: boolean | undefined } {
    const { log, witnessing } = this.#options
    const inference = this.inference(row)
    const newest = log.head?.size ?? 0
    const linked = this.#linked(inference).filter(({ index }) => index < newest)
    // The acceptance may be newer than the answer.
    const { head, isWitnessed } = witnessing.choose(row.name, Math.max(row.index, ...linked.map(({ index }) => index)))
    // An audit that no such head covers yet is no reason for a weaker one.
    const audits = this.audits.listing(row.index).filter(({ index }) => index < head.size)
    const placed = this.#headOverAppraisal(row.name, inference)
    const sizes = [inference.checkpoint.size, placed?.size ?? 0].filter((size) => size > 0 && size <= head.size)
    const json = formatDossier({
      receiptId: inference.receipt,
      bundle: this.bundle(row, head),
      promise: parseNote(utf8(this.promise(row))),
      openings: this.#openings(row, inference),
      statements: [...linked, ...audits].map((each) => this.bundle(each, head)),
      consistency: [...new Set(sizes)].map((size) => ({
        size,
        root: log.reader.root(size),
        path: log.reader.consistencyPath(size, head.size),
      })),
      evidence: [
        ...this.#citedHead(row.name, inference),
        ...(placed === undefined ? [] : [{ mediaType: CHECKPOINT_MEDIA_TYPE, content: utf8(placed.note) }]),
        ...this.#evidence(inference),
      ],
    })
    return { json, isWitnessed }
  }

  /** The head that the answer cites, as witnesses had confirmed it by then. One that is damaged would bound nothing. */
  #citedHead(deployment: string, { checkpoint }: Inference): Parameters<typeof formatDossier>[0]['evidence'] {
    const note = this.#options.statements.citedHead(deployment, checkpoint.size)
    return note === undefined ? [] : [{ mediaType: CHECKPOINT_MEDIA_TYPE, content: utf8(note) }]
  }

  /**
   * The first head over the appraisal of the place that witnesses had confirmed, where the one that the answer cites is older: it
   * shows that the appraisal was there while its evidence was still current.
   */
  #headOverAppraisal(deployment: string, { appraisal, checkpoint }: Inference) {
    if (appraisal === undefined) return undefined
    const { index } = this.#required(appraisal)
    return checkpoint.size > index ? undefined : this.#options.statements.firstCitedOver(deployment, index)
  }

  /** Evidence of the place, and its collateral, as far as they are there: without them it is unproven, and no more. */
  #evidence({ appraisal }: Inference): Parameters<typeof formatDossier>[0]['evidence'] {
    if (appraisal === undefined) return []
    const { evidence, collateral } = parseAppraisal(parseStatement(this.#required(appraisal).payload))
    const named = [
      { mediaType: EVIDENCE_MEDIA_TYPE, digest: evidence },
      { mediaType: COLLATERAL_MEDIA_TYPE, digest: collateral },
    ]
    return named.flatMap(({ mediaType, digest }) => {
      const content = digest === undefined ? undefined : this.#options.evidence.find(digest)
      return content === undefined ? [] : [{ mediaType, content }]
    })
  }

  /** The promise in one line. */
  promiseLine(row: StatementRow): string {
    return formatPromiseHeader(this.promise(row))
  }

  /** What the vault keeps of an answer's content; `undefined` where it keeps none. @throws {CountersignError} `vault/wrong-key` */
  content(row: StatementRow): VaultContent | undefined {
    const record = this.#options.statements.vaultRow(row.index)?.record
    const key = this.#vaultKey(row)
    if (record === undefined || record === null || key === undefined) return undefined
    return openContent(key, this.#receiptBytes(this.inference(row)), record)
  }

  /** The seed of the receipt's salts, or `undefined` when its key is not kept or was destroyed. */
  saltSeed(row: StatementRow): Uint8Array | undefined {
    const key = this.#vaultKey(row)
    return key && saltSeed(key, this.#receiptBytes(this.inference(row)))
  }

  inference(row: StatementRow): Inference {
    return parseInference(parseStatement(row.payload))
  }

  #openings(row: StatementRow, inference: Inference): readonly DossierOpening[] {
    const { crypto, statements } = this.#options
    const record = statements.vaultRow(row.index)?.record
    const key = this.#vaultKey(row)
    if (record === undefined || record === null || key === undefined) return []
    const receipt = this.#receiptBytes(inference)
    const seed = saltSeed(key, receipt)
    return [...openContent(key, receipt, record)].map(([label, content]) => ({
      subjects: subjectsOf(label, inference),
      salt: saltFor(crypto, seed, label),
      content,
    }))
  }

  #vaultKey(row: StatementRow): Uint8Array | undefined {
    const { statements, vaultKeys } = this.#options
    const vault = statements.vaultRow(row.index)
    return vault && vaultKeys.find(vault.keyId)
  }

  /** What is kept of an answer's content. While it is being erased the key goes first, and the statement comes last. */
  kept(row: StatementRow): Kept {
    const { statements } = this.#options
    if (statements.latest('erasure', this.inference(row).receipt) !== undefined) return 'erased'
    const vault = statements.vaultRow(row.index)
    if (vault === undefined) return 'nothing'
    if (this.#vaultKey(row) === undefined) return 'erased'
    return vault.record === null ? 'nothing' : 'content'
  }

  /** The manifest, the registrations of its models, the first acceptance that fits it, and the appraisal of the place. */
  #linked(inference: Inference): readonly StatementRow[] {
    const manifest = this.#required(inference.deployment.statement)
    const { models } = parseDeployment(parseStatement(manifest.payload))
    const registrations = models.map((model) => this.#required(model.registration))
    const acceptance = this.#acceptance(manifest)
    const appraisal = inference.appraisal === undefined ? [] : [this.#required(inference.appraisal)]
    return [manifest, ...registrations, ...(acceptance === undefined ? [] : [acceptance]), ...appraisal]
  }

  /** The first one: a later one changes nothing about who answered when. What others signed is passed over. */
  #acceptance(manifest: StatementRow): StatementRow | undefined {
    for (const row of this.#options.statements.oldest('acceptance', manifest.name)) {
      if (this.#isAcceptance(row, manifest)) return row
    }
    return undefined
  }

  #isAcceptance(row: StatementRow, manifest: StatementRow): boolean {
    const keyId = toHex(this.#options.crypto.sha256(row.spki))
    const acceptance = parseAcceptance(parseStatement(row.payload))
    try {
      verifyAcceptance(parseDeployment(parseStatement(manifest.payload)), toHex(manifest.digest), acceptance, keyId)
      return true
    } catch {
      return false
    }
  }

  #required(digest: StatementDigest): StatementRow {
    const row = this.#options.statements.byDigest(digest)
    if (row === undefined) throw new CountersignError('data/damaged', `statement ${digest} is missing`)
    return row
  }

  #receiptBytes({ receipt }: Inference): Uint8Array {
    return new Uint8Array(Buffer.from(receipt, 'hex'))
  }
}

/** Which subjects a vault label opens: one label serves both where nothing was changed on the way. */
function subjectsOf(label: string, { commitments }: Inference): DossierOpening['subjects'] {
  switch (label) {
    case 'request':
      return commitments['request-sent'] === commitments['request-received']
        ? ['request-received', 'request-sent']
        : ['request-received']
    case 'response':
      return commitments['response-delivered'] === commitments['response-received']
        ? ['response-received', 'response-delivered']
        : ['response-delivered']
    case 'request-sent':
    case 'response-received':
    case 'request-patch':
    case 'parameters':
    case 'provider-signature':
      return [label]
    default:
      throw new CountersignError('data/damaged', 'the vault holds content of an unknown kind')
  }
}
