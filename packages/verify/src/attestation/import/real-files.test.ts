/** Real files as their makers and other tools keep them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toBase64Url } from '../../bytes/base64.ts'
import { toHex, utf8 } from '../../bytes/bytes.ts'
import { createNodeCrypto } from '../../crypto/node-provider.ts'
import { appraiseEvidence } from '../appraise.ts'
import { NO_REAL_DATA, realData, realFiles } from '../attestation-data.testing.ts'
import type { EvidenceKind } from '../evidence-kind.ts'
import { importCollateral } from './import-collateral.ts'
import { importEvidence } from './import-evidence.ts'

const CHAIN_OF: { readonly [report: string]: string } = {
  'nvidia/hopperAttestationReport.txt': 'nvidia/hopperCertChain.txt',
  'nvidia/hopperAttestationReportInvalidSignature.txt': 'nvidia/hopperCertChain.txt',
  'nvidia/blackwellAttestationReport.txt': 'nvidia/blackwellCertChain.txt',
}
const KIND_OF: readonly (readonly [RegExp, EvidenceKind])[] = [
  [/^tdx\/.*\.bin$|^dstack\/.*\.bin$/, 'tdx'],
  [/^sev-snp\/.*\.report$/, 'sev-snp'],
  [/^nitro\/.*\.cose$/, 'nitro'],
  [/^nvidia\/.*(evidence|multi_gpu).*\.json$|^nvidia\/.*Report.*\.txt$/, 'nvidia-spdm'],
  [/^nvidia\/.*detached_eat\.json$/, 'nvidia-nras'],
  [/^azure-vtpm\/.*\.json$/, 'azure-vtpm'],
]
const kindOf = (path: string) => KIND_OF.find(([pattern]) => pattern.test(path))?.[1]

function collateralOf(path: string) {
  const chain = CHAIN_OF[path]
  return { items: chain === undefined ? [] : importCollateral(realData(chain)) }
}

test('every real file is read as what it is, or refused as no evidence', { skip: NO_REAL_DATA }, () => {
  const folders = ['tdx', 'sev-snp', 'nitro', 'nvidia', 'azure-vtpm', 'dstack', 'roots']
  const kinds = new Set<string>()
  for (const path of folders.flatMap(realFiles)) {
    const kind = kindOf(path)
    const file = realData(path)
    if (kind === undefined) {
      assert.throws(() => importEvidence(file), { code: 'evidence/unsupported' }, path)
      // An event log, which has an option of its own, and nothing else is neither.
      if (!path.endsWith('tdx_eventlog.json')) assert.ok(importCollateral(file).length > 0, path)
      continue
    }
    const { items } = importEvidence(file, { collateral: collateralOf(path) }).evidence
    assert.deepEqual(
      items.map((item) => item.kind),
      [kind],
      path,
    )
    kinds.add(kind)
  }
  assert.equal(kinds.size, 6)
})

test('real binary evidence is the same from any text', { skip: NO_REAL_DATA }, () => {
  for (const path of ['tdx', 'sev-snp', 'nitro', 'dstack']
    .flatMap(realFiles)
    .filter((each) => kindOf(each) !== undefined)) {
    const file = realData(path)
    const whole = importEvidence(file).evidence.items
    for (const text of [`0x${toHex(file)}\n`, toBase64Url(file), JSON.stringify({ quote: toHex(file) })]) {
      assert.deepEqual(importEvidence(utf8(text)).evidence.items, whole, path)
    }
  }
})

test('bare reports of real GPUs hold with their chain, and a changed one does not', { skip: NO_REAL_DATA }, () => {
  for (const path of Object.keys(CHAIN_OF)) {
    const { evidence } = importEvidence(realData(path), { collateral: collateralOf(path) })
    const { items } = appraiseEvidence(evidence, {
      ...{ crypto: createNodeCrypto(), atMs: Date.UTC(2026, 0), collateral: { items: [] } },
      ...{ policy: undefined, nonce: undefined, memory: undefined },
    })
    assert.equal(items[0]?.isGenuine, !path.includes('Invalid'), path)
  }
})
