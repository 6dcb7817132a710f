import { utf8 } from '../bytes/bytes.ts'
import type { Json } from '../bytes/json.ts'
import { ORIGIN } from '../fixture.testing.ts'
import { commonCases } from '../misbehaviour/common-cases.testing.ts'
import { verifyMisbehaviour } from '../misbehaviour/misbehaviour.ts'
import { misbehaviourCases, misbehaviourTrust } from '../misbehaviour/misbehaviour-cases.testing.ts'
import { parseMisbehaviour } from '../misbehaviour/proof-file.ts'
import { parseTrustFile } from '../trust/trust-file.ts'
import { type FormatVectors, gives, refused, textOf } from './format-vector.testing.ts'
import { policyVectors } from './policy-vectors.testing.ts'

export function trustVectors(): readonly FormatVectors[] {
  return [...policyVectors(), misbehaviourVectors()]
}

function misbehaviourVectors(): FormatVectors {
  const trust = misbehaviourTrust()
  return {
    file: 'misbehaviour',
    description:
      'A proof file under a trust file. The value is the kind of misbehaviour that it proves, of which log, and how many entries its histories share.',
    cases: [...misbehaviourCases(), ...commonCases()].map(({ name, proof, error, kind = name, commonSize = 0 }) => {
      const input = { trust, proof }
      if (error !== undefined) return refused(name, input, error)
      return gives(name, input, { kind, log: ORIGIN, commonSize })
    }),
    run: (provider, input) => {
      const { proof } = input as { readonly proof: Json }
      const trusted = parseTrustFile(provider, utf8(textOf(input, 'trust')))
      const {
        kind,
        log: origin,
        commonSize,
      } = verifyMisbehaviour(provider, trusted, parseMisbehaviour(utf8(JSON.stringify(proof))))
      return { kind, log: origin, commonSize }
    },
  }
}
