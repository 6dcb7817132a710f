/** `countersign independence`: how concentrated everything is that was shown, and who could break it. */
import type { Command } from 'commander'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { formatJson, readInput } from '../files.ts'
import { measureIndependence } from '../independence/measure.ts'
import { formatIndependence } from '../independence/report-text.ts'
import { print } from '../terminal.ts'
import { readTime } from '../time-option.ts'

interface IndependenceOptions {
  readonly trust: string
  readonly at?: string
  readonly json?: boolean
}

const EXAMPLES = `
A file is a dossier, or the receipt of a party's statement; a folder stands for the JSON files in it. A URL is a gateway's: its
published checkpoint and what its deployments offer are read. What parties say of themselves is shown, and counts for nothing
until the trust file says the same.

Examples:
  countersign independence answer.json --trust trust.yaml
  countersign independence dossiers/ parties/ --trust trust.yaml --json
  countersign independence https://gateway.example --trust trust.yaml

Exit codes: 0 it holds: everything was confirmed by as many independent owners as the trust file asks for, and no owner is unknown;
3 it is unproven, for the reasons that are given; 2 bad usage, or something that cannot be read.`

export function addIndependence(program: Command): void {
  program
    .command('independence')
    .description('measure how many independent parties stand behind answers, and who could break that')
    .argument('<source...>', 'dossiers, receipts of parties, folders of them, or the URL of a gateway')
    .requiredOption('--trust <file>', 'whom you trust, and who owns whom (YAML)')
    .option('--at <time>', 'the time to judge by, ISO 8601 (default: now)')
    .option('--json', 'print a report for programs')
    .addHelpText('after', EXAMPLES)
    .action(async (sources: readonly string[], options: IndependenceOptions) => {
      process.exitCode = await measure(sources, options)
    })
}

async function measure(sources: readonly string[], { trust, at, json }: IndependenceOptions): Promise<ExitCode> {
  const { report, unreadable } = await measureIndependence(sources, readInput(trust), readTime(at))
  print(json ? formatJson(report).trimEnd() : formatIndependence(report))
  if (unreadable > 0) return EXIT.usage
  return report.status === 'holds' ? EXIT.ok : EXIT.unproven
}
