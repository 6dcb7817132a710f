/** A feature given as one of a list of codes. The model sees the index into that list. */
export type CategoryFeature = {
  readonly kind: 'category'
  readonly name: string
  readonly label: string
  readonly codes: readonly { readonly code: string; readonly label: string }[]
}

/** A feature given as a number. The model asks only whether it is at least each of `cuts`. */
export type NumberFeature = {
  readonly kind: 'number'
  readonly name: string
  readonly label: string
  readonly unit: string
  /** The smallest and largest value among the 1,000 applications: nothing outside was seen in training. */
  readonly minimum: number
  readonly maximum: number
  /** Ascending round numbers, chosen by hand and not from the outcomes. */
  readonly cuts: readonly number[]
}

export type Feature = CategoryFeature | NumberFeature

function category(name: string, label: string, labelsByCode: Readonly<Record<string, string>>): CategoryFeature {
  const codes = Object.entries(labelsByCode).map(([code, codeLabel]) => ({ code, label: codeLabel }))
  return { kind: 'category', name, label, codes }
}

function number(
  name: string,
  label: string,
  unit: string,
  [minimum, maximum]: readonly [number, number],
  cuts: readonly number[],
): NumberFeature {
  return { kind: 'number', name, label, unit, minimum, maximum, cuts }
}

const account: readonly Feature[] = [
  category('checking_status', 'Checking account', {
    A11: 'overdrawn',
    A12: 'under 200 DM',
    A13: '200 DM or more, or salary paid in for a year',
    A14: 'no checking account',
  }),
  number('duration_months', 'Duration of the credit', 'months', [4, 72], [9, 12, 15, 18, 21, 24, 30, 36, 42, 48, 60]),
  category('credit_history', 'Credit history', {
    A30: 'no credits, or all paid back duly',
    A31: 'all credits at this bank paid back duly',
    A32: 'current credits paid duly so far',
    A33: 'late payments in the past',
    A34: 'critical account, or credits at other banks',
  }),
  // A47 (holiday) is in the code book but in no row: nothing could be learnt about it, so it is not accepted either.
  category('purpose', 'Purpose', {
    A40: 'new car',
    A41: 'used car',
    A42: 'furniture or equipment',
    A43: 'radio or television',
    A44: 'domestic appliances',
    A45: 'repairs',
    A46: 'education',
    A48: 'retraining',
    A49: 'business',
    A410: 'other',
  }),
  number(
    'credit_amount',
    'Amount of the credit',
    'DM',
    [250, 18_424],
    [750, 1000, 1250, 1500, 2000, 2500, 3000, 4000, 5000, 6500, 8000, 10_000, 12_500],
  ),
  category('savings', 'Savings', {
    A61: 'under 100 DM',
    A62: '100 to 499 DM',
    A63: '500 to 999 DM',
    A64: '1,000 DM or more',
    A65: 'none, or not known',
  }),
]

const applicant: readonly Feature[] = [
  category('employment_since', 'Time in present job', {
    A71: 'not employed',
    A72: 'under 1 year',
    A73: '1 to 3 years',
    A74: '4 to 6 years',
    A75: '7 years or more',
  }),
  number('installment_rate', 'Instalments against disposable income', 'class 1 to 4', [1, 4], [2, 3, 4]),
  category('other_debtors', 'Other debtors', { A101: 'none', A102: 'joint applicant', A103: 'guarantor' }),
  number('residence_since', 'Time at present address', 'class 1 to 4', [1, 4], [2, 3, 4]),
  category('property', 'Property', {
    A121: 'land or house',
    A122: 'building society savings or life insurance',
    A123: 'car or other',
    A124: 'none, or not known',
  }),
  category('other_installment_plans', 'Other instalment plans', { A141: 'at a bank', A142: 'at a shop', A143: 'none' }),
  category('housing', 'Housing', { A151: 'rented', A152: 'owned', A153: 'free of charge' }),
  number('existing_credits', 'Credits at this bank', 'credits', [1, 4], [2, 3, 4]),
  category('job', 'Job', {
    A171: 'not employed, or unskilled and not resident',
    A172: 'unskilled and resident',
    A173: 'skilled employee or official',
    A174: 'manager, self-employed or highly qualified',
  }),
  number('dependents', 'People supported', 'people', [1, 2], [2]),
  category('telephone', 'Telephone', { A191: 'none', A192: 'in own name' }),
]

/**
 * The model's inputs, in tensor order. Sex and personal status, nationality and age are left out on purpose; they serve
 * evaluation alone.
 */
export const modelFeatures: readonly Feature[] = [...account, ...applicant]

/** Age, used only to measure what leaving it out costs. */
export const ageFeature: NumberFeature = number(
  'age_years',
  'Age',
  'years',
  [19, 75],
  [23, 26, 29, 32, 36, 41, 46, 51, 61],
)
