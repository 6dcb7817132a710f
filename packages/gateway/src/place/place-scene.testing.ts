/** Machines that never were, behind servers on loopback: they give evidence, and the makers of their hardware vouch for it. */
import { createHash, X509Certificate } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'
import {
  type CollateralItem,
  formatEvidence,
  type Json,
  readPlacePolicy,
  type TrustedRoots,
  toBase64,
} from '@countersign/verify'
import { MEASUREMENT, pemOf, SNP_AT, type SnpOptions, snpEvidence } from '@countersign/verify/testing'
import type { UpstreamPlaceConfig } from '../config/place-config.ts'
import type { CollateralAddresses } from './collateral-addresses.ts'
import { MAKERS } from './collateral-addresses.ts'

/** How a machine behaves; a test changes it at any time. */
export interface Machine {
  /** The key of the TLS server that it says is its own: SHA-256 of the SubjectPublicKeyInfo, hexadecimal. */
  tlsKey: string
  /** For evidence in our own format. */
  signingKey: Uint8Array
  /** Gives the same evidence whatever is asked. */
  isReplaying: boolean
  /** Answers nothing but this status. */
  status: number | undefined
  snp: SnpOptions
  /** Requests for evidence so far. */
  asked: number
}

export interface Rig {
  readonly machine: Machine
  /** Without a path; over TLS where the rig has a certificate. */
  readonly url: string
  readonly roots: TrustedRoots
  /** Where the makers' answers come from. */
  readonly addresses: CollateralAddresses
}

/** The policy that its evidence meets. */
export function rigPolicy(profile: 'tinfoil' | 'countersign', more: { readonly [name: string]: Json } = {}) {
  const allow = profile === 'tinfoil' ? { allow: ['no-freshness'] } : {}
  return { tee: 'sev-snp', profile, measurements: { measurement: [MEASUREMENT] }, ...allow, ...more }
}

/** A place as configuration has it. */
export function placeOf(written: Json, changes: Partial<UpstreamPlaceConfig> = {}): UpstreamPlaceConfig {
  return {
    policy: readPlacePolicy(written, 'place'),
    written,
    onFailure: 'refuse',
    evidenceUrl: undefined,
    evidenceModel: undefined,
    sendsCredential: false,
    ...changes,
  }
}

/** SHA-256 of the SubjectPublicKeyInfo of a certificate in PEM, hexadecimal. */
export function tlsKeyOf(pem: string): string {
  const spki = new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(spki).digest('hex')
}

/** A server for evidence, and one for the makers' words, for the length of a test. */
export async function startRig(
  context: TestContext,
  tls?: { readonly key: string; readonly cert: string },
): Promise<Rig> {
  const machine: Machine = {
    tlsKey: tls === undefined ? '11'.repeat(32) : tlsKeyOf(tls.cert),
    signingKey: new Uint8Array(),
    isReplaying: false,
    status: undefined,
    snp: {},
    asked: 0,
  }
  let first: Uint8Array | undefined
  const reportFor = (reportData: Uint8Array): Uint8Array => {
    const edit = (report: Uint8Array) => {
      report.set(reportData, SNP_AT.reportData)
      machine.snp.edit?.(report)
    }
    const report = snpEvidence({ ...machine.snp, edit }).item.content
    first ??= report
    return machine.isReplaying ? first : report
  }
  const evidence = (request: IncomingMessage, response: ServerResponse) => {
    machine.asked++
    const url = new URL(request.url ?? '', 'http://rig')
    if (machine.status !== undefined) return void response.writeHead(machine.status).end()
    const body =
      url.pathname === '/attestation'
        ? ownFormat(machine, Buffer.from(url.searchParams.get('nonce') ?? '', 'hex'), reportFor)
        : tinfoilFormat(machine, reportFor)
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
  const { input } = snpEvidence()
  const makers = await serve(context, undefined, (request, response) =>
    answerAsAmd(input.collateral.items, request, response),
  )
  const url = await serve(context, tls, evidence)
  return { machine, url, roots: input.roots ?? noRoots(), addresses: { ...MAKERS, kds: makers } }
}

function noRoots(): never {
  throw new Error('the builder of evidence pins its roots')
}

function ownFormat({ signingKey }: Machine, nonce: Uint8Array, reportFor: (data: Uint8Array) => Uint8Array): Json {
  const content = reportFor(createHash('sha512').update(signingKey).update(nonce).digest())
  const beside = { signingKey: toBase64(signingKey) }
  return formatEvidence({ profile: 'countersign', items: [{ kind: 'sev-snp', content }], nonce, beside })
}

function tinfoilFormat({ tlsKey }: Machine, reportFor: (data: Uint8Array) => Uint8Array): Json {
  const report = reportFor(Buffer.concat([Buffer.from(tlsKey, 'hex'), Buffer.alloc(32, 7)]))
  return { format: 'https://tinfoil.example/predicate/sev-snp-guest/v2', body: toBase64(gzipSync(report)) }
}

/** AMD's service: the chip's certificate, its issuers in PEM, the list of revoked ones. */
function answerAsAmd(items: readonly CollateralItem[], request: IncomingMessage, response: ServerResponse): void {
  const [leaf, ...issuers] = items.filter(({ kind }) => kind === 'certificate').map(({ content }) => content)
  const crl = items.find(({ kind }) => kind === 'crl')?.content
  const url = request.url ?? ''
  if (url.endsWith('/cert_chain')) response.end(pemOf(...issuers))
  else if (url.endsWith('/crl')) response.end(crl)
  else if (/^\/vcek\/v1\/Milan\/[0-9a-f]{128}\?blSPL=04&teeSPL=01&snpSPL=24&ucodeSPL=210$/.test(url)) response.end(leaf)
  else response.writeHead(404).end()
}

async function serve(
  context: TestContext,
  tls: { readonly key: string; readonly cert: string } | undefined,
  listener: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  context.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`
}
