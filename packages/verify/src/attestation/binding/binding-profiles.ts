/** All profiles, by name. */
import type { ProfileName } from '../profile-names.ts'
import type { BindingProfile } from './binding-profile.ts'

const NONE: BindingProfile = {
  name: 'none',
  describes: 'evidence alone: no key of a server is tied to it',
  canShow: [],
  isTriedOnReal: true,
  bind: () => ({
    checks: [],
    keys: [],
    shown: [],
    answersNonce: false,
    doesNotProve: ['that any answer came from there: no key of a server is bound'],
  }),
}

export const BINDING_PROFILES = { none: NONE } as unknown as { readonly [name in ProfileName]: BindingProfile }
