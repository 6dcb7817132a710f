/** Text for people: colours where a terminal is there, none elsewhere. */
import { styleText } from 'node:util'
import type { ClaimStatus } from '@countersign/verify'

type Style = Parameters<typeof styleText>[0]

/** Styles text when standard output is a terminal that wants it. */
export function paint(style: Style, text: string): string {
  const wanted = process.stdout.isTTY === true && process.env.NO_COLOR === undefined
  return wanted ? styleText(style, text) : text
}

const STATUS_STYLE: { readonly [status in ClaimStatus]: Style } = { holds: 'green', refuted: 'red', unproven: 'yellow' }

export function paintStatus(status: ClaimStatus, width = 0): string {
  return paint(STATUS_STYLE[status], status.padEnd(width))
}

/** Writes a line to standard output. */
export function print(line = ''): void {
  process.stdout.write(`${line}\n`)
}

/** Writes a line to standard error, where a program's output is not. */
export function warn(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** Wraps text at spaces; every line but the first is indented. */
export function wrap(text: string, indent: string, width = 100): string {
  const lines: string[] = []
  let line = ''
  for (const word of splitLong(text.split(' '), width - indent.length)) {
    if (line !== '' && indent.length + line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line].join(`\n${indent}`)
}

/** Progress on one line that is written over; silent where no terminal is there. */
export function createProgress(label: string, total: number) {
  const isShown = process.stderr.isTTY === true
  return {
    update(done: number): void {
      if (!isShown) return
      const filled = Math.round((done / Math.max(total, 1)) * 24)
      process.stderr.write(`\r${label} ${'█'.repeat(filled)}${'░'.repeat(24 - filled)} ${done}/${total}`)
      if (done >= total) process.stderr.write('\r\x1b[K')
    },
  }
}

/** A word that is longer than a line is cut, so that no terminal breaks it where a row could begin. */
function splitLong(words: readonly string[], width: number): readonly string[] {
  return words.flatMap((word) => word.match(new RegExp(`.{1,${width}}`, 'gsu')) ?? [''])
}
