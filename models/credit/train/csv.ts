/** One line of the table, by header name. */
export type CsvRow = Readonly<Record<string, string>>

const MAXIMUM_ROWS = 100_000

/**
 * Parses comma-separated text with a header line and no quoting, which is all that the German credit file uses.
 *
 * @throws {Error} on a quote, a line of another width than the header, or more than 100,000 lines.
 */
export function parseCsv(text: string): CsvRow[] {
  if (text.includes('"')) throw new Error('quoted CSV fields are not supported')
  const [headerLine, ...lines] = text.split(/\r?\n/).filter((line) => line !== '')
  if (headerLine === undefined) throw new Error('the CSV file is empty')
  if (lines.length > MAXIMUM_ROWS) throw new Error(`more than ${MAXIMUM_ROWS} lines`)
  const header = headerLine.split(',')
  return lines.map((line, index) => {
    const fields = line.split(',')
    if (fields.length !== header.length)
      throw new Error(`line ${index + 2} has ${fields.length} fields, not ${header.length}`)
    return Object.fromEntries(header.map((name, column) => [name, fields[column] ?? '']))
  })
}
