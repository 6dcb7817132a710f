import type { CsvRow } from './csv.ts'

/** A way to divide the applicants. None of these columns is an input of the model. */
export type Division = {
  readonly name: string
  readonly label: string
  readonly groupOf: (row: CsvRow) => string
}

function ageGroup(row: CsvRow, lastYears: readonly number[]): string {
  const years = Number(row.age_years)
  const index = lastYears.findIndex((last) => years <= last)
  const after = lastYears[(index === -1 ? lastYears.length : index) - 1]
  if (index === -1) return `over ${after}`
  return after === undefined ? `${lastYears[index]} or under` : `${after + 1} to ${lastYears[index]}`
}

/** A92 and A95 are the code book's female codes; the card says why they are not reliable. */
const femaleCodes: readonly string[] = ['A92', 'A95']

export const divisions: readonly Division[] = [
  { name: 'age', label: 'Age', groupOf: (row) => ageGroup(row, [25]) },
  { name: 'age-bands', label: 'Age, finer', groupOf: (row) => ageGroup(row, [25, 35, 50]) },
  {
    name: 'sex',
    label: 'Sex, as coded',
    groupOf: (row) => (femaleCodes.includes(row.personal_status_sex ?? '') ? 'female' : 'male'),
  },
  {
    name: 'foreign-worker',
    label: 'Foreign worker, as coded',
    groupOf: (row) => (row.foreign_worker === 'A201' ? 'yes' : 'no'),
  },
]
