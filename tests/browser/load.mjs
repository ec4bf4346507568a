// The page's modules as the tests import them, bundled by the esbuild that comes with Vite.
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'

const PAGE = fileURLToPath(new URL('../../examples/chat/', import.meta.url))
const require = createRequire(`${PAGE}package.json`)

/** Bundles TypeScript that imports from `examples/chat/`, and returns its exports. */
export async function load(source) {
  const vite = createRequire(require.resolve('vite'))
  const { build } = await import(pathToFileURL(vite.resolve('esbuild')))
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: PAGE },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    banner: { js: `import { createRequire } from 'node:module'; const require = createRequire(${JSON.stringify(PAGE)});` },
  })
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`)
}
