/** `countersign config check`: reads a configuration and says what it means, or which line is wrong. */
import { readConfigFile } from '@countersign/gateway'
import type { Command } from 'commander'
import { formatJson } from '../files.ts'
import { print } from '../terminal.ts'

const EXAMPLES = `
Examples:
  countersign config check countersign.yaml

Exit codes: 0 it is well-formed; 2 it is not, or cannot be read.`

export function addConfig(program: Command): void {
  program
    .command('config')
    .description('work with configuration files')
    .addHelpText('after', EXAMPLES)
    .command('check')
    .description('check a configuration; a mistake is named with its line')
    .argument('[file]', 'configuration file', 'countersign.yaml')
    .option('--json', 'print what was read, with defaults filled in')
    .addHelpText('after', EXAMPLES)
    .action((file: string, options: { json?: boolean }) => {
      const config = readConfigFile(file)
      if (options.json) return print(formatJson(config).trimEnd())
      const names = config.deployments.map((deployment) => deployment.name).join(', ')
      print(
        `${file} is well-formed: ${names} on ${config.listen.host}:${config.listen.port}, data in ${config.dataRoot}`,
      )
    })
}
