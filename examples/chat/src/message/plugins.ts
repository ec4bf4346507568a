import type { Element, ElementContent, Root as Hast } from 'hast'
import type { Nodes, Root as Mdast } from 'mdast'
import type { Options } from 'react-markdown'
import remarkCjkFriendly from 'remark-cjk-friendly'
import remarkCjkStrikethrough from 'remark-cjk-friendly-gfm-strikethrough'
import remarkGfm from 'remark-gfm'

const LINE_BREAKS = /^(?:<br\s*\/?>\s*)+$/i
const BLOCKS = new Set(['p', 'ul', 'ol', 'pre', 'blockquote', 'table', 'hr', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6'])

/** Turn `<br>`, the only HTML that Markdown's tables cannot do without, into line breaks. */
function remarkLineBreaks() {
  return (tree: Mdast) => breakLines(tree)
}

function breakLines(node: Nodes): void {
  if (!('children' in node)) return
  const children = node.children as Nodes[]
  children.forEach((child, index) => {
    if (child.type === 'html' && LINE_BREAKS.test(child.value)) {
      children[index] = node.type === 'root' ? { type: 'paragraph', children: [{ type: 'break' }] } : { type: 'break' }
    } else {
      breakLines(child)
    }
  })
}

/** Let each block find its own direction, and label each checkbox of a task list with the text beside it. */
function rehypeReadable() {
  return (tree: Hast) => {
    for (const child of tree.children) if (child.type === 'element') child.properties['dir'] ??= 'auto'
    labelTasks(tree)
  }
}

function labelTasks(node: Hast | Element): void {
  for (const child of node.children) if (child.type === 'element') labelTasks(child)
  if (node.type !== 'element' || !isTask(node)) return
  // In a list with blank lines, the checkbox is inside the item's first paragraph.
  const line = node.children.find((child) => child.type === 'element')
  const holder = line?.type === 'element' && line.tagName === 'p' ? line : node
  const end = holder.children.findIndex((child) => child.type === 'element' && BLOCKS.has(child.tagName))
  const children = holder.children.splice(0, end < 0 ? holder.children.length : end) as ElementContent[]
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
  remarkLineBreaks,
]

export const REHYPE_PLUGINS: NonNullable<Options['rehypePlugins']> = [rehypeReadable]
