/** Every parser of the package, with inputs that it accepts. */
import { parseNitroDocument } from './attestation/nitro/document.ts'
import { makeNitroDocument, withEndMark } from './attestation/nitro/nitro-evidence.testing.ts'
import { gpuChain, gpuItem, makeGpu } from './attestation/nvidia/nvidia-evidence.testing.ts'
import { parseNvidiaItem } from './attestation/nvidia/nvidia-item.ts'
import { parseSpdmReport } from './attestation/nvidia/spdm.ts'
import { parseCertificate, parsePemCertificates } from './attestation/x509/certificate.ts'
import { parseCrl } from './attestation/x509/crl.ts'
import { createTestKey, issueCrl } from './attestation/x509/pki.testing.ts'
import { parsePublicKey } from './attestation/x509/signature.ts'
import { formatAuditProof, parseAuditProof } from './audit/audit-files.ts'
import { buildAudit } from './audit/audit-scene.testing.ts'
import { parseBase64, parseBase64Url, toBase64 } from './bytes/base64.ts'
import { parseHex, parseUtf8, utf8 } from './bytes/bytes.ts'
import { FILE_LIMITS, type Json, PAYLOAD_LIMITS, parseJson } from './bytes/json.ts'
import { parseYaml } from './bytes/yaml.ts'
import { parseP256Signature, parseP256Spki } from './crypto/keys.ts'
import { createNodeCrypto } from './crypto/node-provider.ts'
import { parseDossier } from './dossier/dossier.ts'
import { parseInferenceRequest, parseInferenceResponse } from './execution/open-inference.ts'
import { DATATYPES, parseTensor } from './execution/tensor.ts'
import { jsonBytes, NOW_MS } from './fixture.testing.ts'
import { parseBundle } from './log/bundle.ts'
import { parseCheckpoint } from './log/checkpoint.ts'
import { parseLeaf } from './log/leaf.ts'
import { parseNote, parseNoteKey } from './log/note.ts'
import { parsePromise, parsePromiseHeader } from './log/promise.ts'
import { openLogSuccessor } from './log/successor.ts'
import { formatEntries, parseEntries, parseTile, parseTilePath } from './log/tile.ts'
import { parseTlogPolicy } from './log/tlog-policy.ts'
import { parseAddCheckpoint, parseCosignatureLines } from './log/witness-protocol.ts'
import { commonCases } from './misbehaviour/common-cases.testing.ts'
import { misbehaviourCases, misbehaviourTrust } from './misbehaviour/misbehaviour-cases.testing.ts'
import { parseMisbehaviour } from './misbehaviour/proof-file.ts'
import { buildScene, REQUEST, RESPONSE, sceneDossier } from './scene.testing.ts'
import { appraisalStatement, parseAppraisal } from './statement/appraisal.ts'
import { parseAuditCommitment } from './statement/audit-commitment.ts'
import { parseAuditResult } from './statement/audit-result.ts'
import { formatAuditEntries, parseAuditEntries } from './statement/audited-entry.ts'
import { parseAcceptance, parseDeployment } from './statement/deployment.ts'
import { parseEnvelope } from './statement/dsse.ts'
import { erasureStatement, parseErasure } from './statement/erasure.ts'
import { parseInference } from './statement/inference.ts'
import { parseModel } from './statement/model.ts'
import { SAMPLE_PARTY } from './statement/party.testing.ts'
import { parseParty, partyStatement } from './statement/party.ts'
import { SAMPLE_APPRAISAL, SAMPLE_POLICY, SAMPLE_REVOKED, sampleRevocation } from './statement/place.testing.ts'
import { parseRevocation, revocationStatement } from './statement/revocation.ts'
import { formatStatement, parseStatement } from './statement/statement.ts'
import { parseRequirements } from './trust/requirement.ts'
import { parseTrustFile } from './trust/trust-file.ts'
import { successorStatement } from './vectors/successor-vectors.testing.ts'
import { upstreamScene } from './verdict/upstream-cases.testing.ts'

/** A parser of bytes, of a text, or of a JSON value. `isJson` says that its bytes are JSON. */
export type Parser =
  | {
      readonly name: string
      readonly takes: 'bytes'
      readonly isJson?: boolean
      readonly samples: readonly Uint8Array[]
      parse(input: Uint8Array): unknown
    }
  | {
      readonly name: string
      readonly takes: 'text'
      readonly samples: readonly string[]
      parse(input: string): unknown
    }
  | { readonly name: string; readonly takes: 'json'; readonly samples: readonly Json[]; parse(input: Json): unknown }

const crypto = createNodeCrypto()

export function allParsers(): readonly Parser[] {
  return [...byteParsers(), ...statementParsers(), ...logParsers(), ...valueParsers(), ...hardwareParsers()]
}

const FACTS =
  '- { name: W, owner: Example Operator, cloud: AS1, jurisdiction: DE-BE, hardwareVendor: V, software: S }\n'

const PLACES = `places: [{ name: a, match: { upstream: gateway }, policy: ${JSON.stringify(SAMPLE_POLICY)} }]\n`

function byteParsers(): readonly Parser[] {
  const scene = buildScene()
  const { spki } = scene.operator
  const { signature } = scene.log.entry(0)
  const dossier = jsonBytes(sceneDossier(scene))
  const trust = utf8(scene.trustText)
  const small = [utf8('{"a":[1,"b\\u0061",{"c":null}],"d":-1.5e3}')]
  const histories = commonCases().filter(({ error }) => error === undefined)
  const proofs = [...misbehaviourCases(), ...histories].map(({ proof }) => jsonBytes(proof))
  return [
    { name: 'parseUtf8', takes: 'bytes', samples: [utf8('text — with more')], parse: parseUtf8 },
    {
      name: 'parseJson',
      takes: 'bytes',
      isJson: true,
      samples: [...small, dossier],
      parse: (input) => parseJson(input, FILE_LIMITS),
    },
    {
      name: 'parseJson of a payload',
      takes: 'bytes',
      isJson: true,
      samples: small,
      parse: (input) => parseJson(input, PAYLOAD_LIMITS),
    },
    { name: 'parseYaml', takes: 'bytes', samples: [trust, ...small, ...YAML.map(utf8)], parse: parseYaml },
    {
      name: 'parseTrustFile',
      takes: 'bytes',
      samples: [
        trust,
        utf8(misbehaviourTrust()),
        utf8(`${scene.trustText}${FACTS}perOwner: 2\n`),
        utf8(`${scene.trustText}${PLACES}`),
      ],
      parse: (input) => parseTrustFile(crypto, input),
    },
    { name: 'parseDossier', takes: 'bytes', isJson: true, samples: [dossier], parse: parseDossier },
    { name: 'parseMisbehaviour', takes: 'bytes', isJson: true, samples: proofs, parse: parseMisbehaviour },
    { name: 'parseInferenceRequest', takes: 'bytes', isJson: true, samples: [REQUEST], parse: parseInferenceRequest },
    {
      name: 'parseInferenceResponse',
      takes: 'bytes',
      isJson: true,
      samples: [RESPONSE],
      parse: parseInferenceResponse,
    },
    { name: 'parseP256Spki', takes: 'bytes', samples: [spki], parse: parseP256Spki },
    { name: 'parseP256Signature', takes: 'bytes', samples: [signature], parse: parseP256Signature },
  ]
}

/** Every construct of YAML that a small text can show. */
const YAML: readonly string[] = [
  '- a\n- b: [c, {d: e}]\n  f: |\n    text\n  g: >-\n    folded\n',
  '? a\n: b\n"c": \'d\'\n# comment\ne: null\n',
  'a: &x [1]\nb: *x\n<<: *x\n',
  '%YAML 1.2\n---\n!!str a: !local b\n...\n',
  'a: 0x1f\nb: .inf\nc: 1e400\nd: ~\ne: 2001-01-01\n',
]

function statementParsers(): readonly Parser[] {
  const scene = buildScene()
  const { log, index, linked } = scene
  const [model, deployment, acceptance] = linked.map((each) => log.entry(each).payload)
  if (model === undefined || deployment === undefined || acceptance === undefined) throw new Error('no statements')
  const answer = log.entry(index).payload
  const relayed = buildScene(upstreamScene())
  const relayedAnswer = relayed.log.entry(relayed.index).payload
  const routed = relayed.log.entry(relayed.linked[1] ?? -1).payload
  const erasure = formatStatement(
    erasureStatement([{ receipt: scene.receiptId, statement: scene.statement }], 'requested', NOW_MS),
  )
  const audit = buildAudit()
  const file = utf8(formatAuditEntries(parseAuditResult(parseStatement(audit.result.payload)).entries))
  const build = (
    name: string,
    samples: readonly Uint8Array[],
    read: (statement: ReturnType<typeof parseStatement>) => unknown,
  ): Parser => ({
    ...{ name, takes: 'bytes', isJson: true, samples },
    parse: (input: Uint8Array) => read(parseStatement(input)),
  })
  return [
    build('parseStatement', [answer], (statement) => statement),
    build('parseInference', [answer, relayedAnswer], parseInference),
    build('parseDeployment', [deployment, routed], parseDeployment),
    build('parseAcceptance', [acceptance], parseAcceptance),
    build('parseModel', [model], (statement) => parseModel(crypto, statement)),
    build('parseErasure', [erasure], parseErasure),
    build('parseAuditCommitment', [audit.commitment.payload], parseAuditCommitment),
    build('parseAuditResult', [audit.result.payload], parseAuditResult),
    { name: 'parseAuditEntries', takes: 'bytes', isJson: true, samples: [file], parse: parseAuditEntries },
    {
      ...{ name: 'parseAuditProof', takes: 'bytes', isJson: true, parse: parseAuditProof },
      samples: [utf8(formatAuditProof(audit))],
    },
    build('parseAppraisal', [formatStatement(appraisalStatement(crypto, SAMPLE_APPRAISAL))], parseAppraisal),
    build(
      'parseRevocation',
      SAMPLE_REVOKED.map((what) => formatStatement(revocationStatement(crypto, sampleRevocation(what)))),
      parseRevocation,
    ),
    build('parseParty', [formatStatement(partyStatement(SAMPLE_PARTY))], parseParty),
    build('parseLogSuccessor', [jsonBytes(successorStatement())], (statement) => openLogSuccessor(crypto, statement)),
  ]
}

function logParsers(): readonly Parser[] {
  const scene = buildScene()
  const { log, promise } = scene
  const checkpoint = log.checkpoint()
  const textOf = (note: string) => note.slice(0, note.lastIndexOf('\n\n') + 1)
  const policies = [scene.trustText, misbehaviourTrust()].map((text) =>
    text.slice(text.indexOf('|\n') + 2, text.indexOf('parties:')).replace(/^ +/gm, ''),
  )
  const keys = policies.flatMap((text) => [...text.matchAll(/\S+\+\S+/g)].map(([key]) => key))
  const paths = ['tile/0/000', 'tile/3/x001/x234/067.p/5', 'tile/entries/x001/234.p/255']
  return [
    { name: 'parseNote', takes: 'bytes', samples: [utf8(checkpoint), utf8(promise)], parse: parseNote },
    { name: 'parseNoteKey', takes: 'text', samples: keys, parse: (text) => parseNoteKey(crypto, text) },
    { name: 'parseCheckpoint', takes: 'text', samples: [textOf(checkpoint)], parse: parseCheckpoint },
    { name: 'parsePromise', takes: 'text', samples: [textOf(promise)], parse: parsePromise },
    { name: 'parsePromiseHeader', takes: 'text', samples: [toBase64(utf8(promise))], parse: parsePromiseHeader },
    { name: 'parseTlogPolicy', takes: 'text', samples: policies, parse: (text) => parseTlogPolicy(crypto, text) },
    {
      name: 'parseAddCheckpoint',
      takes: 'bytes',
      samples: [`old 0\n\n${checkpoint}`, `old 7\n${toBase64(new Uint8Array(32))}\n\n${checkpoint}`].map(utf8),
      parse: parseAddCheckpoint,
    },
    {
      name: 'parseCosignatureLines',
      takes: 'text',
      samples: [checkpoint.slice(checkpoint.lastIndexOf('\n\n') + 2)],
      parse: parseCosignatureLines,
    },
    { name: 'parseTile', takes: 'bytes', samples: [new Uint8Array(64)], parse: parseTile },
    {
      name: 'parseEntries',
      takes: 'bytes',
      samples: [formatEntries([new Uint8Array(0), new Uint8Array(9)])],
      parse: parseEntries,
    },
    { name: 'parseTilePath', takes: 'text', samples: paths, parse: parseTilePath },
    { name: 'parseLeaf', takes: 'bytes', isJson: true, samples: [log.entry(0).leaf], parse: parseLeaf },
  ]
}

function valueParsers(): readonly Parser[] {
  const scene = buildScene()
  const bundle = scene.log.bundle(scene.index)
  const { dsseEnvelope } = bundle as { readonly dsseEnvelope: Json }
  const tensors = DATATYPES.map((datatype) => ({
    ...{ name: 'x', datatype, shape: [2, 1] },
    data: datatype === 'BOOL' ? [true, [false]] : [[1], [2]],
  }))
  return [
    { name: 'parseEnvelope', takes: 'json', samples: [dsseEnvelope], parse: (value) => parseEnvelope(value) },
    { name: 'parseBundle', takes: 'json', samples: [bundle], parse: (value) => parseBundle(value) },
    { name: 'parseTensor', takes: 'json', samples: tensors, parse: (value) => parseTensor(value, 'tensor') },
    { name: 'parseRequirements', takes: 'text', samples: ['record:any,output:re-executed'], parse: parseRequirements },
    { name: 'parseBase64', takes: 'text', samples: ['AA==', 'AAAA'], parse: parseBase64 },
    { name: 'parseBase64Url', takes: 'text', samples: ['AA', '-_-_'], parse: parseBase64Url },
    { name: 'parseHex', takes: 'text', samples: ['00ff'], parse: (text) => parseHex(text) },
  ]
}

/** Of evidence, and of the certificates that it rests on. */
function hardwareParsers(): readonly Parser[] {
  const chain = gpuChain()
  const gpu = makeGpu()
  const { content } = gpuItem(gpu)
  const lists = [issueCrl({ issuer: 'a', signer: createTestKey('p256'), revoked: [{ serial: '01' }] })]
  const documents = [makeNitroDocument(), makeNitroDocument({ payload: withEndMark })]
  return [
    { name: 'parseCertificate', takes: 'bytes', samples: chain, parse: (bytes) => parseCertificate(bytes) },
    { name: 'parseCrl', takes: 'bytes', samples: lists, parse: (bytes) => parseCrl(bytes) },
    {
      ...{ name: 'parsePemCertificates', takes: 'text' as const, samples: [gpu.chainPem] },
      parse: (text: string) => parsePemCertificates(text, 5),
    },
    { name: 'parsePublicKey', takes: 'bytes', samples: [createTestKey('p384').spki], parse: parsePublicKey },
    { name: 'parseNitroDocument', takes: 'bytes', samples: documents, parse: parseNitroDocument },
    { name: 'parseSpdmReport', takes: 'bytes', samples: [gpu.evidence], parse: parseSpdmReport },
    { name: 'parseNvidiaItem', takes: 'bytes', isJson: true, samples: [content], parse: parseNvidiaItem },
  ]
}
