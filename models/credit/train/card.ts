import type { Comparison, Figures, ScoreName } from './figures.ts'
import { divisions } from './groups.ts'
import type { Estimate } from './intervals.ts'

const labels: Readonly<Record<ScoreName, string>> = {
  rocArea: 'ROC AUC (higher is better)',
  meanCost: 'Mean cost per application (lower is better)',
  brierScore: 'Brier score (lower is better)',
  calibrationError: 'Expected calibration error (lower is better)',
  accuracy: 'Accuracy at the approval threshold',
  selectionRate: 'Share approved',
}

const scoreOrder = Object.keys(labels) as ScoreName[]

function shown(value: number): string {
  // A true minus sign, so that a negative number is not read as a dash; and no "-0.000".
  const text = value.toFixed(3)
  return Number(text) === 0 ? '0.000' : text.replace('-', '−')
}

function cell({ mean, low, high }: Estimate): string {
  return `${shown(mean)} (${shown(low)} to ${shown(high)})`
}

function table(header: readonly string[], lines: readonly (readonly string[])[]): string {
  return [header, header.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function cells({ model, logistic, difference }: Comparison): string[] {
  return [cell(model), cell(logistic), cell(difference)]
}

function performanceTable(figures: Figures): string {
  const { approveAll, declineAll } = figures.trivialCosts
  return [
    table(
      ['', 'this model', 'logistic regression', 'paired difference'],
      scoreOrder.map((name) => [labels[name], ...cells(figures.scores[name])]),
    ),
    '',
    `Calibration error that chance alone gives to a perfectly calibrated model here: ${cell(figures.chanceCalibrationError)}.`,
    `For the cost: approving everyone costs ${shown(approveAll)} per application, declining everyone ${shown(declineAll)}.`,
  ].join('\n')
}

function divisionLabel(name: string): string {
  return divisions.find((division) => division.name === name)?.label ?? name
}

function selectionTable({ groups }: Figures): string {
  return table(
    ['', 'applications', 'bad', 'approved, this model', 'approved, logistic regression', 'paired difference'],
    groups.map(({ division, group, applications, shareBad, selectionRate }) => [
      `${divisionLabel(division)}: ${group}`,
      String(applications),
      shown(shareBad),
      ...cells(selectionRate),
    ]),
  )
}

function impactTable({ groups }: Figures): string {
  const flagged = (ratio: Estimate, below: boolean): string => {
    const isReference = ratio.mean === 1 && ratio.low === ratio.high
    return isReference ? 'reference' : `${cell(ratio)}${below ? ' ⚑' : ''}`
  }
  return table(
    [
      '',
      'impact ratio, this model',
      'impact ratio, logistic regression',
      'good credits approved, this model',
      'good credits approved, logistic regression',
    ],
    groups.map(({ division, group, impactRatio, belowFourFifths, selectionRateOfGood }) => [
      `${divisionLabel(division)}: ${group}`,
      flagged(impactRatio.model, belowFourFifths.model),
      flagged(impactRatio.logistic, belowFourFifths.logistic),
      cell(selectionRateOfGood.model),
      cell(selectionRateOfGood.logistic),
    ]),
  )
}

function ablationTable(figures: Figures): string {
  const { meanProbabilityChange, decisionsChanged } = figures.quantisationEffect
  return [
    table(
      ['', 'quantised minus unquantised', 'with age minus without'],
      scoreOrder.map((name) => [
        labels[name],
        cell(figures.quantisedMinusUnquantised[name]),
        cell(figures.withAgeMinusWithout[name]),
      ]),
    ),
    '',
    `Quantising moves a probability by ${shown(meanProbabilityChange)} on average and changes ${shown(decisionsChanged)} of decisions.`,
  ].join('\n')
}

const sections: Readonly<Record<string, (figures: Figures) => string>> = {
  performance: performanceTable,
  selection: selectionTable,
  impact: impactTable,
  ablations: ablationTable,
}

/**
 * Puts the figures between the markers of the card; the prose around them is left as it is.
 *
 * It does not check that the prose still fits the figures: read it again after training.
 *
 * @throws {Error} when a section's markers are missing.
 */
export function renderCard(card: string, figures: Figures): string {
  let text = card
  for (const [name, render] of Object.entries(sections)) {
    const begin = `<!-- figures ${name}: written by train/main.ts -->`
    const end = `<!-- end of figures ${name} -->`
    const start = text.indexOf(begin)
    const stop = text.indexOf(end)
    if (start === -1 || stop < start) throw new Error(`MODEL_CARD.md lacks the markers of "${name}"`)
    text = `${text.slice(0, start + begin.length)}\n${render(figures)}\n${text.slice(stop)}`
  }
  return text
}
