/** Ways in which providers tie a serving key, and a model, to evidence. `none`: nothing is tied. */
export const PROFILE_NAMES = [
  'none',
  'countersign',
  'dstack',
  'near-ai',
  'tinfoil',
  'opengradient',
  'aci',
  'confidential-space',
] as const
export type ProfileName = (typeof PROFILE_NAMES)[number]
