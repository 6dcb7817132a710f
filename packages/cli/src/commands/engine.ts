/** `countersign engine`: engines that are installed aside, and which there are. */
import { resolve } from 'node:path'
import { type EngineState, enginesFolder, INSTALLATION_STEPS, installLlama, listEngines } from '@countersign/engines'
import { CountersignError, quote } from '@countersign/verify'
import type { Command } from 'commander'
import { paint, print, warn } from '../terminal.ts'

interface EngineOptions {
  readonly dir?: string
  readonly json?: boolean
}

const FOLDER_OPTION = 'folder of engines (default: COUNTERSIGN_ENGINES, else .countersign/engines in your home)'

const EXIT_CODES = '\n\nExit codes: 0 done; 2 bad usage, or it cannot be installed.'

const EXAMPLES = `
Examples:
  countersign engine install llama
  countersign engine list${EXIT_CODES}`

export function addEngine(program: Command): void {
  const engine = program
    .command('engine')
    .description('work with the engines that run models')
    .addHelpText('after', EXAMPLES)
  engine
    .command('install')
    .description('install an engine that is no part of Countersign: llama, for language models in GGUF files')
    .argument('<engine>', 'llama')
    .option('--dir <folder>', FOLDER_OPTION)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `\nExamples:\n  countersign engine install llama\n\nNeeds npm, and about 100 MB of disk.${EXIT_CODES}`,
    )
    .action((name: string, options: EngineOptions) => install(name, options))
  engine
    .command('list')
    .description('list engines: what profiles need, and what is here')
    .option('--dir <folder>', FOLDER_OPTION)
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExamples:\n  countersign engine list\n\nExit codes: 0 shown; 2 bad usage.')
    .action((options: EngineOptions) => list(options))
}

/** @throws {CountersignError} `usage/invalid`, `execution/engine-missing`, `execution/profile-unmet` */
async function install(name: string, options: EngineOptions): Promise<void> {
  if (name !== 'llama')
    throw new CountersignError('usage/invalid', `${quote(name)} is not llama, the one engine there is`)
  const total = INSTALLATION_STEPS.length
  const onStep = (step: number) => warn(`llama ${step + 1}/${total}: ${INSTALLATION_STEPS[step]}`)
  const installed = await installLlama(folderOf(options), { onStep })
  if (options.json) return print(JSON.stringify(installed))
  const { engine, version, platform, folder, wasThere } = installed
  print(`${engine} ${version} for ${platform} ${wasThere ? 'was there already' : 'is installed'}, and loads: ${folder}`)
}

async function list(options: EngineOptions): Promise<void> {
  const engines = await listEngines(folderOf(options))
  if (options.json) return print(JSON.stringify(engines))
  for (const each of engines) print(row(each))
}

function row({ profile, engine, installed, isMet, folder }: EngineState): string {
  const state = isMet ? paint('green', 'installed') : paint('yellow', installed ?? 'missing')
  const place = folder === null ? 'comes with Countersign' : folder
  return `${profile.padEnd(32)} ${engine.padEnd(18)} ${state}  ${place}`
}

function folderOf({ dir }: EngineOptions): string {
  return resolve(dir ?? enginesFolder())
}
