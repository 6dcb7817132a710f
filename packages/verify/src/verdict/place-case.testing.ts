/** How cases of the claim `place` are played: without witnesses, or with one. */
import { NOW_MS, witnessSigner } from '../fixture.testing.ts'
import { formatNoteKey } from '../log/note.ts'
import { logLine, trustText } from '../scene.testing.ts'
import { buildPlaceScene, type PlaceOptions, placeDossier } from './place-scene.testing.ts'
import { expectRows, NO_OWNERS, NOT_RUN, PLAIN_FAILING, type VerdictCase, verdictCase } from './verdict-case.testing.ts'

type Rows = Parameters<typeof expectRows>[0]

/** Checks that nobody could make without witnesses and revocations. */
export const TIME = 'place/time'
export const REVOCATION = 'place/revocation'
export const OPEN: readonly string[] = [TIME, REVOCATION]

export interface Shown {
  readonly options?: PlaceOptions
  readonly files?: readonly string[]
  /** Lines of the trust file besides the usual ones. */
  readonly trust?: string
  readonly case?: Partial<VerdictCase>
}

/** A case without witnesses, where the claim comes out as `place`. */
export function played(
  name: string,
  description: string,
  place: Rows['place'],
  failing: readonly string[],
  shown: Shown = {},
) {
  const { options = {}, files, trust = '', case: more = {} } = shown
  const played = buildPlaceScene(options)
  const by = place === 'refuted' ? failing.find((check) => !OPEN.includes(check)) : undefined
  const isUpstream = options.isUpstream === true
  const rows: Rows = { ...(place === undefined ? {} : { place }), ...(isUpstream ? { model: 'unproven' } : {}) }
  const expect = expectRows(rows, [...(isUpstream ? ['model/digest'] : []), ...failing, ...PLAIN_FAILING], by)
  return verdictCase(`place-${name}`, description, {
    ...{ trust: `${played.scene.trustText}${trust}`, roots: played.roots },
    dossier: placeDossier(played, files === undefined ? {} : { files }),
    ...{ expect, ...more },
  })
}

const witness = witnessSigner('witness.example/a')

/** A trust file that asks for one witness, and a head that it cosigned at that time. */
export function witnessed(
  name: string,
  description: string,
  place: Rows['place'],
  failing: readonly string[],
  shown: Shown & { readonly atMs?: number } = {},
) {
  const played = buildPlaceScene(shown.options ?? {})
  const { log } = played.scene
  const atSeconds = Math.floor((shown.atMs ?? NOW_MS) / 1000)
  const policy = `${logLine(log)}\nwitness a ${formatNoteKey(witness.key)}\nquorum a\n`
  const checkpoint = log.checkpoint(log.size, [(text) => witness.cosign(text, atSeconds)])
  const isUpstream = shown.options?.isUpstream === true
  const by = place === 'refuted' ? failing.find((check) => !OPEN.includes(check)) : undefined
  const rows: Rows = {
    record: 'witnessed',
    ...(place === undefined ? {} : { place }),
    ...(isUpstream ? { model: 'unproven' } : {}),
  }
  const time = { notBeforeMs: null, notAfterMs: atSeconds * 1000 + 999 }
  return verdictCase(`place-${name}`, description, {
    ...{ trust: trustText(policy, played.scene, shown.trust), roots: played.roots },
    dossier: placeDossier(played, { checkpoint }),
    expect: {
      ...expectRows(rows, [...(isUpstream ? ['model/digest'] : []), ...failing, NOT_RUN, NO_OWNERS], by),
      time,
    },
    ...shown.case,
  })
}
