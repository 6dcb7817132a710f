/** Sound evidence of every kind to change at every place: made up, and real where there is some. What `npm run soak -- attestation` sweeps. */
import { createMemory } from '../bytes/memory.ts'
import { createNodeCrypto } from '../crypto/node-provider.ts'
import { NO_REAL_DATA, realData } from './attestation-data.testing.ts'
import { sweepCases as azureCases } from './azure-vtpm/azure-tdx-evidence.testing.ts'
import { unsignedRegions as nitroRegions } from './nitro/document.ts'
import { makeNitroDocument, nitroInput, nitroItem } from './nitro/nitro-evidence.testing.ts'
import { sweepCases as nrasCases } from './nvidia/nras-scene.testing.ts'
import { gpuInput, gpuItem, makeGpu } from './nvidia/nvidia-evidence.testing.ts'
import { unsignedRegions as reportRegions } from './nvidia/spdm.ts'
import { sweepCases as snpCases } from './sev-snp/sev-snp-evidence.testing.ts'
import type { SweptEvidence } from './sweep.testing.ts'
import { importDcapCollateral } from './tdx/collateral-import.ts'
import { sweptOf, sweepCases as tdxCases } from './tdx/tdx-evidence.testing.ts'
import { sweepCases as tokenCases } from './token/token-scenes.testing.ts'

/** Every case there is on this machine. */
export function allSweptEvidence(): readonly SweptEvidence[] {
  return [
    ...tdxCases(),
    ...snpCases(),
    nitroCase(),
    gpuCase(),
    ...nrasCases(),
    ...azureCases(),
    ...tokenCases(),
    ...(NO_REAL_DATA ? [] : realCases()),
  ]
}

function nitroCase(): SweptEvidence {
  const bytes = makeNitroDocument()
  const input = nitroInput({ memory: createMemory() })
  return { name: 'nitro', bytes, toItem: nitroItem, input, unsigned: nitroRegions(bytes) }
}

function gpuCase(): SweptEvidence {
  const gpu = makeGpu()
  return {
    ...{ name: 'nvidia-spdm', bytes: gpu.evidence, unsigned: reportRegions(gpu.evidence) },
    input: gpuInput({ memory: createMemory() }),
    toItem: (evidence) => gpuItem({ ...gpu, evidence }),
  }
}

/** As of the times at which they were good. */
function realCases(): readonly SweptEvidence[] {
  const judgedAt = (atMs: number) => ({
    ...{ crypto: createNodeCrypto(), memory: createMemory(), policy: undefined, nonce: undefined, atMs },
    collateral: { items: [] },
  })
  const quote = {
    quote: realData('tdx/phala_v4_uptodate.bin'),
    input: {
      ...judgedAt(Date.UTC(2025, 5, 25)),
      collateral: importDcapCollateral(realData('tdx/phala_b0c06f_2025-06-19.json')),
    },
  }
  const document = realData('nitro/dstack-nitro-2025-12-25.cose')
  return [
    sweptOf('real TDX quote', quote),
    {
      ...{ name: 'real Nitro document', bytes: document, toItem: nitroItem, unsigned: nitroRegions(document) },
      input: judgedAt(Date.UTC(2025, 11, 25, 13, 15, 37, 600)),
    },
  ]
}
