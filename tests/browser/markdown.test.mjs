// Answers are parsed block by block while they grow; they must look as the whole text would.
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { load } from './load.mjs'

let page
before(async () => {
  page = await load(`
    import { createElement } from 'react'
    import { renderToStaticMarkup } from 'react-dom/server'
    import ReactMarkdown from 'react-markdown'
    import { REHYPE_PLUGINS, REMARK_PLUGINS } from './src/message/plugins'
    import { Markdown } from './src/message/Markdown'
    export { boundBlock, costOf, MAX_COST, MAX_LENGTH } from './src/message/bound'
    export { splitBlocks } from './src/message/blocks'
    export { closeMarks } from './src/message/closeMarks'
    export { piecesOf } from './src/message/pieces'
    const plugins = { remarkPlugins: REMARK_PLUGINS, rehypePlugins: REHYPE_PLUGINS }
    export const render = (text) => renderToStaticMarkup(createElement(ReactMarkdown, plugins, text))
    export const show = (text) => renderToStaticMarkup(createElement(Markdown, { text }))`)
})

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
  const { splitBlocks, render } = page
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
  const { splitBlocks } = page
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
  const { closeMarks } = page
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
    'an ![image](https://exa': 'an image',
    'a [list](of) and [a link](ht': 'a [list](of) and a link',
    'not [a link] (yet': 'not [a link] (yet',
    '强调**「重点': '强调**「重点**',
    '``a ` b': '``a ` b``',
  }
  for (const [text, shown] of Object.entries(grown)) assert.equal(closeMarks(text), shown, text)
  for (const text of Object.values(TEXTS)) assert.equal(closeMarks(text), text)
})

/** What a text shows, without the frame around it. */
const shown = (text) => page.show(text).replace(/^<div class="markdown">|<\/div>$/g, '').replace(/ dir="auto"/g, '').replace(/\n/g, '')

test('emphasis works beside Chinese, Japanese and Korean text, whatever punctuation it holds', () => {
  for (const [text, html] of Object.entries({
    '**「重点」**内容': '<p><strong>「重点」</strong>内容</p>',
    '这是**“引用”**的内容': '<p>这是<strong>“引用”</strong>的内容</p>',
    'これは**強調（重要）**です': '<p>これは<strong>強調（重要）</strong>です</p>',
    '**핵심(요약)**입니다': '<p><strong>핵심(요약)</strong>입니다</p>',
    '*「斜体」*文字': '<p><em>「斜体」</em>文字</p>',
    '~~「删除」~~内容': '<p><del>「删除」</del>内容</p>',
    '**bold** and a ** b': '<p><strong>bold</strong> and a ** b</p>',
  })) {
    assert.equal(shown(text), html, text)
  }
})

test('a single tilde stays a tilde, and two strike out', () => {
  for (const [text, html] of Object.entries({
    'worth ~$120B (~$55 a share)': '<p>worth ~$120B (~$55 a share)</p>',
    'from ~5 to ~6 and ~/bin': '<p>from ~5 to ~6 and ~/bin</p>',
    'H~2~O': '<p>H~2~O</p>',
    '约~10元和~20元': '<p>约~10元和~20元</p>',
    '~~gone~~ ~kept~': '<p><del>gone</del> ~kept~</p>',
  })) {
    assert.equal(shown(text), html, text)
  }
})

test('a line break tag breaks the line, and every other tag stays text', () => {
  const cell = (text) => /<td>(.*?)<\/td>/.exec(shown(`| a |\n| - |\n| ${text} |`))[1]
  for (const tag of ['<br>', '<br/>', '<br />', '<BR>']) assert.equal(cell(`one${tag}two`), 'one<br/>two')
  assert.equal(cell('one<br><br>two'), 'one<br/><br/>two')
  assert.equal(cell('`<br>`'), '<code>&lt;br&gt;</code>')
  assert.equal(cell('<b>x</b>'), '&lt;b&gt;x&lt;/b&gt;')
  assert.equal(cell('<br onclick="alert(1)">'), '&lt;br onclick=&quot;alert(1)&quot;&gt;')
  assert.equal(shown('one<br>two'), '<p>one<br/>two</p>')
  assert.equal(shown('one\n\n<br>\n\ntwo'), '<p>one</p><p><br/></p><p>two</p>')
  assert.equal(shown('<br>\n**bold**'), '<p><br/><strong>bold</strong></p>')
  assert.equal(shown('- a<br>b\n\n## c<br/>d'), '<ul><li>a<br/>b</li></ul><h2 class="level-2">c<br/>d</h2>')
  assert.equal(shown('<div>\n*x*\n</div>'), '<p>&lt;div&gt;<em>x</em>&lt;/div&gt;</p>')
})

test("a task's text labels its checkbox, and only tasks lose their bullets", () => {
  const box = (checked) => `<input type="checkbox" disabled=""${checked ? ' checked=""' : ''}/>`
  const task = (content) => `<li class="task-list-item">${content}</li>`
  assert.equal(
    shown('- [ ] buy **milk**\n- plain\n- [x] done\n  - [ ] inner'),
    '<ul class="contains-task-list">' +
      task(`<label>${box(false)} buy <strong>milk</strong></label>`) +
      '<li>plain</li>' +
      task(`<label>${box(true)} done</label><ul class="contains-task-list">${task(`<label>${box(false)} inner</label>`)}</ul>`) +
      '</ul>',
  )
  assert.match(shown('- [ ] one\n\n  more\n\n- [x] two'), /<li class="task-list-item"><p><label><input[^>]*> one<\/label><\/p><p>more<\/p><\/li>/)
  assert.match(shown('1. [ ] numbered'), /^<ol class="contains-task-list"><li class="task-list-item"><label>/)
})

test('each block finds its own direction, and code is always left to right', () => {
  const html = page.show('مرحبا بالعالم\n\nHello\n\n- واحد\n- اثنان\n\n| أ | ب |\n| - | - |\n| ١ | ٢ |\n\n```\nx = 1\n```\n\n> اقتباس')
  for (const start of ['<p dir="auto">مرحبا', '<p dir="auto">Hello', '<ul dir="auto">', 'tabindex="0" dir="auto"><table', '<figure class="code" dir="ltr">', '<blockquote dir="auto">']) {
    assert.ok(html.includes(start), `${start} is missing in ${html}`)
  }
  const whole = page.show('[1]: https://example.com\n\nمرحبا\n\nHello [x][1]')
  assert.ok(whole.includes('<p dir="auto">مرحبا') && whole.includes('<p dir="auto">Hello'), whole)
})

const HARD = {
  'bold without spaces': '**a**'.repeat(8000),
  'bold with spaces': '**a** '.repeat(8000),
  'bold lines': '**a** b\n'.repeat(8000),
  'emphasis that is never closed': '*a **b '.repeat(5000),
  'nested emphasis': '*a **b '.repeat(2000) + 'b** a*'.repeat(2000),
  underscores: 'a_'.repeat(10_000),
  tildes: '~~a'.repeat(10_000),
  brackets: '['.repeat(20_000),
  'closing brackets': ']('.repeat(10_000),
  links: '[a](b) '.repeat(5000),
  images: '!['.repeat(10_000),
  'link lines': '[\n'.repeat(10_000),
  backticks: Array.from({ length: 400 }, (_, index) => '`'.repeat(index + 1)).join(' '),
  tags: '<a '.repeat(10_000),
  quotes: '> '.repeat(10_000),
  'nested list': '- '.repeat(10_000),
  'long list': '- item **1** with `code`\n'.repeat(3000),
  'long loose list': '1. item **1**\n\n   more of it\n\n'.repeat(2000),
  'wide table': `${'|a'.repeat(5000)}|\n${'|-'.repeat(5000)}|\n${'|b'.repeat(5000)}|`,
  'long table': `| a | b |\n| - | - |\n${'| 1 | **2** |\n'.repeat(3000)}`,
  'many notes': '[^a] '.repeat(5000) + '\n\n[^a]: note',
  addresses: 'a@b.c '.repeat(5000),
  'one long word': 'a'.repeat(100_000),
  entities: '&amp;'.repeat(10_000),
  'mixed emphasis': '*_~~'.repeat(5000),
  'numbered nesting': '1. '.repeat(5000),
  'items below each other': '  - a\n'.repeat(5000),
  '重点': '**「重」**点'.repeat(5000),
}

test('no text makes a block that costs more than the bound to parse, and none loses anything', { timeout: 120_000 }, () => {
  const { piecesOf, costOf, MAX_COST, MAX_LENGTH } = page
  for (const [name, text] of Object.entries(HARD)) {
    for (const growing of [false, true]) {
      const pieces = piecesOf(text, growing)
      for (const piece of pieces.filter(({ kind }) => kind === 'markdown')) {
        assert.ok(costOf(piece.text) <= MAX_COST + 1, `${name} costs ${costOf(piece.text)}`)
        assert.ok(piece.text.length <= MAX_LENGTH + 1, `${name} has ${piece.text.length} characters`)
      }
    }
    const letters = (string) => string.replace(/\s/g, '')
    const joined = piecesOf(text).map(({ text }) => text).join('\n').replace(/(?<=.)\| a \| b \|\n\| - \| - \|\n/gs, '')
    assert.equal(letters(joined), letters(text), `${name} lost text`)
  }
})

test('the cost of a text counts its marks', () => {
  assert.equal(page.costOf('**a** *b* [c](d) ~~e~~'), 8)
  assert.equal(page.costOf('- a\n- b\n1. c\n> d'), 4.75)
  assert.equal(page.costOf('*_~~a'), 3)
  assert.equal(page.costOf('plain prose, with punctuation.'), 0)
})

test('what costs too much in one line is shown as it was written', () => {
  assert.deepEqual(page.piecesOf(HARD['bold without spaces']).map(({ kind }) => kind), ['plain'])
  assert.ok(page.show(HARD['bold without spaces']).includes('<p class="as-written" dir="auto">**a****a**'))
})

test('a long table repeats its head, and a long list counts on', () => {
  const tables = page.piecesOf(HARD['long table'])
  assert.ok(tables.length > 3)
  for (const { kind, text } of tables) {
    assert.equal(kind, 'markdown')
    assert.ok(text.startsWith('| a | b |\n| - | - |\n| 1 |'))
  }
  const list = Array.from({ length: 2000 }, (_, index) => `${index + 1}. item **${index}**`).join('\n')
  const starts = [...page.show(list).matchAll(/<ol start="(\d+)"[^>]*>\s*<li>item <strong>(\d+)</g)]
  assert.ok(starts.length > 2)
  for (const [, start, index] of starts) assert.equal(Number(start), Number(index) + 1)
})

test('code of any length is one block, while it grows and after', () => {
  const code = 'a **b** `c` [d] | e\n'.repeat(10_000)
  for (const text of [`\`\`\`py title="x"\n${code}`, `\`\`\`py\n${code}\`\`\`\n`]) {
    const pieces = page.piecesOf(text, true)
    assert.deepEqual(pieces.map(({ kind, language }) => [kind, language]), [['code', 'py']])
    assert.equal(pieces[0].text.trim(), code.trim())
  }
  assert.deepEqual(page.piecesOf('~~~~\n```\nx\n~~~\n~~~~\nafter').map(({ kind }) => kind), ['markdown'])
})

test('headings keep the outline of the page whole, and the notes of two answers do not share an id', () => {
  assert.equal(shown('### deep\n\n# top'), '<h2 class="level-3">deep</h2><h2 class="level-1">top</h2>')
  const twice = page.show('a[^1]\n\n[^1]: b')
  assert.ok(!twice.includes('footnote-label'), twice)
  const link = /href="#([^"]+)"/.exec(twice)[1]
  assert.ok(twice.includes(`id="${link}"`) && !link.startsWith('user-content'), twice)
})

test('a text that is cut keeps its links, wherever they are defined', () => {
  const lines = Array.from({ length: 300 }, (_, index) => `Claim number ${index} is from **there** [${index % 5}][Ref ${index % 5}] and [ref 7].`)
  const definitions = Array.from({ length: 8 }, (_, index) => `[ref ${index}]: https://example.com/${index}`)
  const html = page.show([...lines, '', ...definitions].join('\n'))
  assert.equal([...html.matchAll(/href="https:\/\/example\.com\/7"/g)].length, 300)
  assert.equal([...html.matchAll(/href="https:\/\/example\.com\/[0-4]"/g)].length, 300)
  assert.ok(!html.includes('[ref'), html.slice(0, 500))
})
