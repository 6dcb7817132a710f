/** Proofs of misbehaviour beside an honest dossier. */
import { logSigner, NOW_MS, ORIGIN } from '../fixture.testing.ts'
import { formatNoteKey } from '../log/note.ts'
import { misbehaviourCases, misbehaviourTrust, witness } from '../misbehaviour/misbehaviour-cases.testing.ts'
import { buildScene, logLine, sceneDossier, trustText } from '../scene.testing.ts'
import { expectRows, PLAIN_FAILING, type VerdictCase, verdictCase } from './verdict-case.testing.ts'

/** A proof against the log refutes the record; one against another log changes nothing, nor does a promise that was late. */
export function knownMisbehaviourCases(): readonly VerdictCase[] {
  const scene = buildScene()
  const dossier = sceneDossier(scene)
  const proofs = misbehaviourCases().filter(({ name }) => name === 'two-heads-of-one-size')
  const misbehaviour = proofs.map(({ proof }) => proof)
  const otherName = 'example.org/another-log'
  const other = logSigner(otherName)
  const headOf = (root: string) => {
    const text = `${otherName}\n1\n${root}\n`
    return `${text}\n${other.sign(text)}`
  }
  const otherProof = {
    format: 'countersign-misbehaviour/v1',
    kind: 'two-heads-of-one-size',
    first: headOf(`${'A'.repeat(43)}=`),
    second: headOf(`${'B'.repeat(42)}A=`),
  }
  return [
    verdictCase('log-misbehaved', `It is proven that the log ${ORIGIN} signed two heads of one size.`, {
      trust: scene.trustText,
      dossier,
      misbehaviour,
      expect: expectRows({ record: 'refuted' }, ['record/misbehaviour'], 'record/misbehaviour'),
    }),
    verdictCase('another-log-misbehaved', 'It is proven that another log signed two heads of one size.', {
      trust: trustText(`${logLine(scene.log)}\nlog ${formatNoteKey(other.key)}\nquorum none\n`, scene),
      dossier,
      misbehaviour: [otherProof],
      expect: expectRows({}, PLAIN_FAILING),
    }),
    verdictCase(
      'promise-not-kept-in-time',
      'A quorum did not see what another answer was promised: that contests none.',
      {
        trust: misbehaviourTrust(),
        dossier: sceneDossier(
          scene,
          scene.log.checkpoint(scene.log.size, [(text) => witness.cosign(text, NOW_MS / 1000)]),
        ),
        misbehaviour: misbehaviourCases().flatMap(({ name, proof }) => (name === 'promise-not-covered' ? [proof] : [])),
        expect: expectRows({ record: 'witnessed' }, PLAIN_FAILING),
      },
    ),
  ]
}
