/** What is counted of places, for Prometheus. Labels are names of the configuration and words of the code. */
import type { AppraisalOutcome } from '@countersign/verify'
import { createCounter, createReading, type Metric } from '../telemetry/exposition.ts'
import { isShown, type PlaceState } from './place-state.ts'

export interface PlaceMetrics {
  observeRound(place: string, outcome: AppraisalOutcome): void
  readonly all: readonly Metric[]
}

/** Families without places say nothing. */
export function createPlaceMetrics(
  states: () => readonly { readonly name: string; readonly state: PlaceState }[],
  nowMs: () => number,
): PlaceMetrics {
  const rounds = createCounter({
    name: 'countersign_appraisals_total',
    help: 'Appraisals of places, by how they ended.',
    labels: ['place', 'outcome'],
  })
  const perPlace = (name: string, help: string, read: (state: PlaceState) => number) =>
    createReading({ name, help, labels: ['place'] }, 'gauge', () =>
      states().map((each) => ({ labels: [each.name], value: read(each.state) })),
    )
  return {
    observeRound: (place, outcome) => rounds.add(1, place, outcome),
    all: [
      rounds,
      perPlace('countersign_place_shown', '1 while a place is shown to be what it must be.', (state) =>
        isShown(state, nowMs()) ? 1 : 0,
      ),
      perPlace(
        'countersign_place_valid_until_timestamp_seconds',
        'Until when its last acceptance holds; 0 without one.',
        ({ accepted }) => (accepted === undefined ? 0 : Math.floor(accepted.validUntilMs / 1000)),
      ),
    ],
  }
}
