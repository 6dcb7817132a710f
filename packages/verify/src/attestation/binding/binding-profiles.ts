/** All profiles, by name. */
import type { ProfileName } from '../profile-names.ts'
import { ACI } from './aci.ts'
import type { BindingProfile } from './binding-profile.ts'
import { CONFIDENTIAL_SPACE } from './confidential-space.ts'
import { COUNTERSIGN } from './countersign.ts'
import { DSTACK } from './dstack.ts'
import { NEAR_AI } from './near-ai.ts'
import { OPENGRADIENT } from './opengradient.ts'
import { TINFOIL } from './tinfoil.ts'

const NONE: BindingProfile = {
  name: 'none',
  describes: 'evidence alone: no key of a server is tied to it',
  canShow: [],
  bindsConnections: false,
  isTriedOnReal: true,
  bind: () => ({
    checks: [],
    keys: [],
    shown: [],
    answersNonce: false,
    doesNotProve: ['that any answer came from there: no key of a server is bound'],
  }),
}

export const BINDING_PROFILES: { readonly [name in ProfileName]: BindingProfile } = {
  none: NONE,
  countersign: COUNTERSIGN,
  dstack: DSTACK,
  'near-ai': NEAR_AI,
  tinfoil: TINFOIL,
  opengradient: OPENGRADIENT,
  aci: ACI,
  'confidential-space': CONFIDENTIAL_SPACE,
}
