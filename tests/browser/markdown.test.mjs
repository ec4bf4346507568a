// Answers are parsed block by block while they grow; what is shown must be what the whole text would show.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'

const PAGE = fileURLToPath(new URL('../../examples/chat/', import.meta.url))
const require = createRequire(`${PAGE}package.json`)

/** `splitBlocks`, and what react-markdown makes of a text. */
async function load() {
  const source = `
    import { createElement } from 'react'
    import { renderToStaticMarkup } from 'react-dom/server'
    import Markdown from 'react-markdown'
    import gfm from 'remark-gfm'
    export { splitBlocks } from './src/message/blocks'
    export { closeMarks } from './src/message/closeMarks'
    export const render = (text) => renderToStaticMarkup(createElement(Markdown, { remarkPlugins: [gfm] }, text))`
  // esbuild comes with Vite.
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

const TEXTS = {
  paragraphs: 'One\n\nTwo **bold\n\nThree** and\nmore\n\n\n\nFour',
  headings: '# A\n\ntext\n\nSetext\n===\n\n## B\nright below\n\n---\n\nend',
  lists: 'Before\n\n1. one\n\n   its second paragraph\n\n2. two\n   - inner\n\n   - inner again\n\n3) another list\n\n- [ ] open\n- [x] done\n\nAfter',
  code: 'Before\n\n```python\na = 1\n\n# no heading\n\n- no list\n```\n\nbetween\n\n~~~~\n```\n\n~~~\n\nstill code\n~~~~\n\n    indented\n\n    and again\n\nend',
  'code in a list': '1. step\n\n   ```sh\n   run\n\n   again\n   ```\n\n2. next\n\n```\nopen\n\nto the end',
  tables: 'Before\n\n| a | b |\n| - | -: |\n| 1 | 2 |\n\n| no | table |\n\nAfter',
  quotes: '> quoted\n\n> another\n\n> - list\n>\n> - more\n\nend',
  definitions: 'A [link][1] and a note[^n].\n\nMore\n\n[1]: https://example.com\n\n[^n]: The note.',
  html: '<div>\n\ntext\n\n</div>\n\n<!-- a\n\ncomment -->\n\nend',
  windows: 'One\r\n\r\n```\r\ncode\r\n\r\nmore\r\n```\r\n\r\nTwo',
}

test('every beginning of a text looks the same in blocks as it does whole', { timeout: 120_000 }, async () => {
  const { splitBlocks, render } = await load()
  const visible = (html) => html.replace(/\s*\n\s*/g, '\n').trim()
  for (const [name, text] of Object.entries(TEXTS)) {
    for (let length = 1; length <= text.length; length++) {
      const begun = text.slice(0, length)
      const blocks = splitBlocks(begun).map(render).join('\n')
      assert.equal(visible(blocks), visible(render(begun)), `${name}: ${JSON.stringify(begun)}`)
    }
  }
})

test('only the last block of a growing text changes', { timeout: 60_000 }, async () => {
  const { splitBlocks } = await load()
  for (const name of ['paragraphs', 'headings', 'code', 'tables']) {
    let before = []
    for (let length = 1; length <= TEXTS[name].length; length++) {
      const blocks = splitBlocks(TEXTS[name].slice(0, length))
      assert.deepEqual(blocks.slice(0, before.length - 1), before.slice(0, -1), name)
      before = blocks
    }
    assert.ok(before.length > 2, `${name} is not split`)
  }
})

test('marks that are begun show as what they will be, and whole ones stay as they are', { timeout: 60_000 }, async () => {
  const { closeMarks } = await load()
  const grown = {
    'a **bo': 'a **bo**',
    'a **bold ': 'a **bold**',
    'a **bold*': 'a **bold**',
    'a **': 'a ',
    'a **bold** b': 'a **bold** b',
    'a ** b': 'a ** b',
    'say `co': 'say `co`',
    'say `': 'say ',
    'say `a**b` and **mo': 'say `a**b` and **mo**',
    'say ``a`b`` **': 'say ``a`b`` ',
    'see [the docs](https://exa': 'see the docs',
    'see [the docs](https://example.com)': 'see [the docs](https://example.com)',
    'one **two\n\nthree **fo': 'one **two\n\nthree **fo**',
    '```\na ** b `c': '```\na ** b `c',
    '| **a** | **b': '| **a** | **b**',
  }
  for (const [text, shown] of Object.entries(grown)) assert.equal(closeMarks(text), shown, text)
  for (const text of Object.values(TEXTS)) assert.equal(closeMarks(text), text)
})
