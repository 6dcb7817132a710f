/** Places of upstreams, the time of evidence by witnesses, and what is said of it later. */
import { hardwareId, MEASUREMENT, snpEvidence } from '../attestation/sev-snp/sev-snp-evidence.testing.ts'
import { parseCertificate } from '../attestation/x509/certificate.ts'
import { toBase64 } from '../bytes/base64.ts'
import { toHex } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { createNobleCrypto } from '../crypto/noble-provider.ts'
import { NOW_MS, statementSigner } from '../fixture.testing.ts'
import { partyText } from '../scene.testing.ts'
import { type Revoked, revocationStatement } from '../statement/revocation.ts'
import { OPEN, played, REVOCATION, TIME, witnessed } from './place-case.testing.ts'
import {
  buildPlaceScene,
  collateralOf,
  GATHERED_MS,
  OTHER_TLS_CERTIFICATE,
  type PlaceOptions,
  type PlaceScene,
  placeDossier,
  sha256Hex,
  TLS_CERTIFICATE,
} from './place-scene.testing.ts'
import type { VerdictCase } from './verdict-case.testing.ts'

const crypto = createNobleCrypto()

export function laterPlaceCases(): readonly VerdictCase[] {
  return [
    ...connectionCases(),
    ...nitroCases(),
    ...timeCases(),
    ...revocationCases(),
    ...datedRevocationCases(),
    ...laterCases(),
  ]
}

function connectionCases(): readonly VerdictCase[] {
  const unproven = (name: string, description: string, options: PlaceOptions) =>
    played(name, description, 'unproven', [TIME, 'place/serving-key', REVOCATION], {
      options: { isUpstream: true, ...options },
    })
  return [
    played('of-an-upstream', 'An upstream’s hardware binds the key of its connections.', 'hardware-attested', OPEN, {
      options: { isUpstream: true },
    }),
    unproven('certificate-not-recorded', 'The statement names no certificate of the connection.', {
      attempt: { tlsCertificate: undefined as never },
    }),
    unproven(
      'certificate-of-another-time',
      'The answer came with another certificate than the one that was seen with the evidence.',
      {
        attempt: { tlsCertificate: sha256Hex(OTHER_TLS_CERTIFICATE) },
      },
    ),
    unproven('certificate-unreadable', 'The certificate that was seen cannot be read.', {
      logged: { tlsCertificate: toBase64(TLS_CERTIFICATE.slice(0, 99)) },
      attempt: { tlsCertificate: sha256Hex(TLS_CERTIFICATE.slice(0, 99)) },
    }),
    played(
      'certificate-with-another-key',
      'The certificate of the connection has another key than the evidence binds.',
      'refuted',
      [TIME, 'place/serving-key', REVOCATION],
      {
        options: {
          isUpstream: true,
          logged: { tlsCertificate: toBase64(OTHER_TLS_CERTIFICATE) },
          attempt: { tlsCertificate: sha256Hex(OTHER_TLS_CERTIFICATE) },
        },
      },
    ),
    played('of-a-failed-attempt', 'No attempt answered, so no place did.', 'unproven', ['place/served-by'], {
      options: { isUpstream: true, attempt: { outcome: 'failed' } },
    }),
  ]
}

function nitroCases(): readonly VerdictCase[] {
  return [
    played(
      'short-lived-without-witnesses',
      'Keys of Nitro live for hours: without witnesses anyone may have had one later.',
      'unproven',
      OPEN,
      { options: { nitro: {} } },
    ),
    witnessed(
      'short-lived',
      'Witnesses had seen the Nitro document while its certificate was valid.',
      'hardware-attested',
      [REVOCATION],
      {
        options: { nitro: {} },
      },
    ),
    witnessed('short-lived-witnessed-too-late', 'They are shown to have seen it only afterwards.', 'unproven', OPEN, {
      options: { nitro: {} },
      atMs: NOW_MS + 4 * 3_600_000,
      case: { atMs: NOW_MS + 4 * 3_600_000 },
    }),
    witnessed(
      'of-a-proxy',
      'A proxy in a Nitro enclave binds the certificate of its connections.',
      'hardware-attested',
      [REVOCATION],
      {
        options: { nitro: {}, isUpstream: true },
      },
    ),
    witnessed(
      'of-a-proxy-with-another-certificate',
      'The connection showed another certificate.',
      'refuted',
      ['place/serving-key', REVOCATION],
      {
        options: { nitro: {}, isUpstream: true, attempt: { tlsCertificate: sha256Hex(OTHER_TLS_CERTIFICATE) } },
      },
    ),
  ]
}

function timeCases(): readonly VerdictCase[] {
  const short = { lists: [{ nextUpdateMs: NOW_MS - 1 }] }
  return [
    witnessed(
      'witnessed',
      'Witnesses had seen the appraisal while all that it rests on was current.',
      'hardware-attested',
      [REVOCATION],
    ),
    witnessed(
      'witnessed-too-late',
      'Witnesses are shown to have seen it only when a revocation list had run out.',
      'hardware-attested',
      OPEN,
      {
        options: { snp: short },
      },
    ),
    witnessed('dated-ahead', 'The appraisal says that it was made after witnesses had seen it.', 'unproven', OPEN, {
      atMs: GATHERED_MS - 301_000,
    }),
  ]
}

const auditor = statementSigner('auditor')
const rival = statementSigner('rival')
const PARTIES = partyText('Example Auditor', 'auditor', auditor) + partyText('Example Rival', 'operator', rival)
const CHIP: Revoked = { kind: 'device', ids: [toHex(hardwareId('milan'))] }

const LEAF = parseCertificate(snpEvidence().input.collateral.items[0]?.content ?? new Uint8Array(0))
const CERTIFICATE = { kind: 'certificate' as const, issuer: LEAF.issuer, serial: LEAF.serial }

/** Receipts of revocations in the log of the scene. */
function revoke(scene: PlaceScene['scene'], what: Revoked, since: number | null, by = auditor): readonly Json[] {
  const statement = revocationStatement(crypto, { what, since, reason: 'taken out of its machine', source: 'a notice' })
  const { log } = scene
  const { index } = log.append(statement, by)
  return [log.bundle(index, log.size)]
}

function revoked(
  name: string,
  description: string,
  what: Revoked,
  more: { since?: number | null; by?: typeof auditor; holds?: boolean } = {},
): VerdictCase {
  const { since = null, by = auditor, holds = false } = more
  const revocations = revoke(buildPlaceScene().scene, what, since, by)
  return played(`revoked-${name}`, description, holds ? 'hardware-attested' : 'unproven', holds ? [TIME] : OPEN, {
    trust: PARTIES,
    case: { revocations },
  })
}

function revocationCases(): readonly VerdictCase[] {
  const key = { use: 'signing-key', sha256: statementSigner('operator').keyId } as const
  const other = { use: 'signing-key', sha256: auditor.keyId } as const
  return [
    revoked('device', 'The chip was revoked.', CHIP),
    revoked('device-of-others', 'Another chip was revoked.', { kind: 'device', ids: ['00'] }, { holds: true }),
    revoked(
      'device-from-then-on',
      'The chip was revoked from a time after the answer on, and no witness shows that the evidence is older.',
      CHIP,
      { since: NOW_MS + 1000 },
    ),
    revoked('measurement', 'The code was revoked.', {
      kind: 'measurement',
      tee: 'sev-snp',
      register: 'measurement',
      value: MEASUREMENT,
    }),
    revoked(
      'measurement-of-other-hardware',
      'The same value, measured by other hardware, was revoked.',
      { kind: 'measurement', tee: 'tdx', register: 'measurement', value: MEASUREMENT },
      { holds: true },
    ),
    revoked('certificate', 'The certificate of the chip’s key was revoked.', CERTIFICATE),
    revoked(
      'certificate-of-others',
      'Another certificate of the same issuer was revoked.',
      { ...CERTIFICATE, serial: '77' },
      { holds: true },
    ),
    revoked('key', 'The bound key was revoked.', { kind: 'key', key }),
    revoked('key-of-others', 'Another key was revoked.', { kind: 'key', key: other }, { holds: true }),
    revoked('by-the-operator', 'The operator itself revoked its chip.', CHIP, { by: statementSigner('operator') }),
    revoked('by-a-rival', 'Another operator revoked the chip: that counts for its own answers alone.', CHIP, {
      by: rival,
      holds: true,
    }),
  ]
}

function datedRevocationCases(): readonly VerdictCase[] {
  const later = revoke(buildPlaceScene().scene, CHIP, NOW_MS + 1000)
  const carried = buildPlaceScene()
  const inside = revoke(carried.scene, CHIP, null)
  const dossier = placeDossier(carried) as { readonly statements: readonly Json[] }
  return [
    witnessed(
      'revoked-afterwards',
      'The chip was revoked from a time on by which witnesses had long seen the evidence.',
      'hardware-attested',
      [],
      {
        trust: PARTIES,
        case: { revocations: later },
      },
    ),
    witnessed(
      'revoked-before',
      'The chip was revoked from a time on by which nobody had seen the evidence.',
      'unproven',
      [REVOCATION],
      {
        trust: PARTIES,
        case: { revocations: revoke(buildPlaceScene().scene, CHIP, NOW_MS) },
      },
    ),
    played('revocation-carried', 'The dossier itself carries the revocation of the chip.', 'unproven', OPEN, {
      trust: PARTIES,
      case: { dossier: { ...dossier, statements: [...dossier.statements, ...inside] } },
    }),
  ]
}

function laterCases(): readonly VerdictCase[] {
  const { input } = snpEvidence()
  const certificates = input.collateral.items.filter(({ kind }) => kind === 'certificate')
  return [
    played(
      'unchanged-since',
      'Appraised again with the collateral of today, nothing has changed.',
      'hardware-attested',
      OPEN,
      {
        case: { collateral: collateralOf(input.collateral.items) },
      },
    ),
    played(
      'changed-since',
      'Today nobody vouches for the revocation list: the answer is of its own time.',
      'hardware-attested',
      [...OPEN, 'place/today'],
      {
        case: { collateral: collateralOf(certificates) },
      },
    ),
  ]
}
