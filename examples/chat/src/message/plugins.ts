import type { Element, Root as Hast } from 'hast'
import type { Nodes, Root as Mdast } from 'mdast'
import type { Options } from 'react-markdown'
import remarkCjkFriendly from 'remark-cjk-friendly'
import remarkCjkStrikethrough from 'remark-cjk-friendly-gfm-strikethrough'
import remarkGfm from 'remark-gfm'

const LINE_BREAK = /^<br\s*\/?>$/i
const BLOCKS = new Set(['p', 'ul', 'ol', 'pre', 'blockquote', 'table', 'hr', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6'])

/**
 * Read HTML as the text of its paragraph, so that a tag at the start of a line hides no Markdown behind it. Only `<br>`,
 * which tables cannot do without, breaks the line.
 */
function remarkTags(this: { data: () => object }) {
  const data: { micromarkExtensions?: object[] } = this.data()
  data.micromarkExtensions = [...(data.micromarkExtensions ?? []), { disable: { null: ['htmlFlow'] } }]
  return (tree: Mdast) => breakLines(tree)
}

function breakLines(node: Nodes): void {
  if (!('children' in node)) return
  const children = node.children as Nodes[]
  children.forEach((child, index) => {
    if (child.type === 'html' && LINE_BREAK.test(child.value)) children[index] = { type: 'break' }
    else breakLines(child)
  })
}

/** Make the elements fit the page: their direction, the labels of tasks, the level of headings, the ids of notes. */
function rehypeFit() {
  return (tree: Hast) => {
    for (const child of tree.children) if (child.type === 'element') child.properties['dir'] ??= 'auto'
    fit(tree)
  }
}

function fit(node: Hast | Element): void {
  for (const child of node.children) if (child.type === 'element') fit(child)
  if (node.type !== 'element') return
  const level = /^h([1-6])$/.exec(node.tagName)?.[1]
  if (level !== undefined) flatten(node, level)
  if (isTask(node)) labelTask(node)
  // All answers of a page would share this id.
  if (node.properties['id'] === NOTES) delete node.properties['id']
  if (String(node.properties['ariaDescribedBy']) === NOTES) delete node.properties['ariaDescribedBy']
}

const NOTES = 'footnote-label'

/**
 * Put a heading right below the page's own. Answers begin at any level and skip some, which makes an outline that
 * screen readers get lost in. The level stays to be seen.
 */
function flatten(heading: Element, level: string): void {
  const names = heading.properties['className']
  heading.tagName = 'h2'
  heading.properties['className'] = [...(Array.isArray(names) ? names : []), `level-${level}`]
}

/** Make the text of a task the label of its checkbox. */
function labelTask(task: Element): void {
  // In a list with blank lines, the checkbox is inside the item's first paragraph.
  const line = task.children.find((child) => child.type === 'element')
  const holder = line?.type === 'element' && line.tagName === 'p' ? line : task
  const end = holder.children.findIndex((child) => child.type === 'element' && BLOCKS.has(child.tagName))
  const children = holder.children.splice(0, end < 0 ? holder.children.length : end)
  holder.children.unshift({ type: 'element', tagName: 'label', properties: {}, children })
}

function isTask({ tagName, properties }: Element): boolean {
  const names = properties['className']
  return tagName === 'li' && Array.isArray(names) && names.includes('task-list-item')
}

/** A single tilde stands for "about" far more often than for a deletion. */
const TILDES = { singleTilde: false }

export const REMARK_PLUGINS: NonNullable<Options['remarkPlugins']> = [
  [remarkGfm, TILDES],
  remarkCjkFriendly,
  [remarkCjkStrikethrough, TILDES],
  remarkTags,
]

export const REHYPE_PLUGINS: NonNullable<Options['rehypePlugins']> = [rehypeFit]
