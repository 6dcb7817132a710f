/** The roots that hardware makers publish, by the SHA-256 of their certificates. */
import type { TrustedRoots } from './appraised.ts'

/**
 * What appraisals trust unless they are given other roots. VCEK and VLEK of AMD lead to one root per product line, by
 * different intermediates.
 */
export const VENDOR_ROOTS: TrustedRoots = {
  /** Intel SGX Root CA. */
  intel: ['44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3'],
  /** ARK-Milan, ARK-Genoa, ARK-Turin. */
  amd: {
    milan: ['69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd'],
    genoa: ['4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1'],
    turin: ['1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a'],
  },
  /** AWS Nitro Enclaves Root G1. */
  nitro: ['641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b'],
  /** NVIDIA Device Identity CA. */
  nvidia: ['102bf659d5419614c9d8e6aecebc80454eb26b1df6a769ac720b9a690b167b48'],
}
