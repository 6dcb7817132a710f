/**
 * What `npm run build` does last: joins the compiled files of the command and of the gateway's threads, each into one file or a few.
 * They do the same as the files that they are made of, and start in a third of the time: Node takes about a millisecond for
 * every file, and a thread loads its own.
 */
import { readdir, readFile, rm } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** Compiled entry points; `x.js` becomes `x.bundle.js` beside it. */
const COMMAND = 'packages/cli/dist/main.js'
const THREADS = ['packages/gateway/dist/log/commit-worker.js', 'packages/gateway/dist/log/publish-worker.js']

/** Packages of others stay where they are; what is not used of them is not loaded. */
const others: Plugin = {
  name: 'others',
  setup({ onResolve }) {
    onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
      path.startsWith('@countersign/') || kind === 'entry-point' ? null : { path, external: true, sideEffects: false },
    )
  },
}

/** Files that are found by their place relative to a module stay found. */
function placesKept(outputFolder: string): Plugin {
  return {
    name: 'places',
    setup({ onLoad }) {
      onLoad({ filter: /\.js$/ }, async ({ path }) => {
        const text = await readFile(path, 'utf8')
        if (!text.includes('import.meta.')) return undefined
        const here = relative(outputFolder, path).replaceAll('\\', '/')
        const url = `new URL(${JSON.stringify(here)}, import.meta.url).href`
        return { contents: text.replaceAll('import.meta.url', url), loader: 'js' }
      })
    },
  }
}

async function bundle(entry: string, isSplit: boolean): Promise<void> {
  const folder = join(ROOT, dirname(entry))
  await build({
    entryPoints: [join(ROOT, entry)],
    outdir: folder,
    entryNames: '[name].bundle',
    // All in the folder of the entry, so that one relative path holds for every file.
    chunkNames: '[name]-[hash].bundle',
    bundle: true,
    splitting: isSplit,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: 'linked',
    logLevel: 'warning',
    plugins: [others, placesKept(folder)],
  })
}

async function removeOld(folder: string): Promise<void> {
  const names = await readdir(join(ROOT, folder))
  const old = names.filter((name) => /\.bundle\.js(\.map)?$/.test(name))
  await Promise.all(old.map((name) => rm(join(ROOT, folder, name))))
}

await removeOld(dirname(COMMAND))
await Promise.all([bundle(COMMAND, true), ...THREADS.map((entry) => bundle(entry, false))])
