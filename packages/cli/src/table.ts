/** A table of text: columns as wide as their widest cell. */

/** A column's heading; numbers stand at its right. */
export interface Column {
  readonly heading: string
  readonly isNumber?: boolean
}

/** The lines of a table, the headings first. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): readonly string[] {
  const all = [columns.map(({ heading }) => heading), ...rows]
  const widths = columns.map((_, i) => Math.max(...all.map((row) => (row[i] ?? '').length)))
  return all.map((row) =>
    columns
      .map(({ isNumber = false }, i) => {
        const cell = row[i] ?? ''
        return isNumber ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)
      })
      .join('  ')
      .trimEnd(),
  )
}
