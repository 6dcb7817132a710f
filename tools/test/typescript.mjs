/** Loads what runs TypeScript, for tests that are not compiled. It takes half a second, which compiled ones need not wait for. */
if (process.argv[1]?.endsWith('.ts')) await import('tsx')
