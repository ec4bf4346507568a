import { memo, useMemo, type ComponentProps } from 'react'
import ReactMarkdown, { type Components, type ExtraProps } from 'react-markdown'
import remarkGfm from 'remark-gfm'
import { splitBlocks } from './blocks'
import { closeMarks } from './closeMarks'
import { CodeBlock } from './CodeBlock'

const PLUGINS = [remarkGfm]

const COMPONENTS: Components = {
  pre: Pre,
  a: ({ href, children }) => (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </a>
  ),
  // An image in an answer is never loaded by itself: its address could carry what was said here to anybody.
  img: ({ src, alt }) =>
    typeof src === 'string' && src ? (
      <a href={src} target="_blank" rel="noopener noreferrer nofollow">
        {alt || src}
      </a>
    ) : (
      <>{alt}</>
    ),
  table: ({ children }) => (
    <div className="table" role="region" aria-label="Table" tabIndex={0}>
      <table>{children}</table>
    </div>
  ),
}

function Pre({ node }: ComponentProps<'pre'> & ExtraProps) {
  const code = node?.children.find((child) => child.type === 'element')
  if (code?.type !== 'element') return null
  const text = code.children.map((child) => (child.type === 'text' ? child.value : '')).join('')
  const names = code.properties['className']
  const language = Array.isArray(names) ? String(names[0]).replace(/^language-/, '') : ''
  return <CodeBlock text={text.replace(/\n$/, '')} language={language} />
}

const Block = memo(function Block({ text }: { text: string }) {
  return (
    <ReactMarkdown remarkPlugins={PLUGINS} components={COMPONENTS}>
      {text}
    </ReactMarkdown>
  )
})

interface Props {
  text: string
  /** More of it is to come. */
  growing?: boolean
}

/** Markdown without raw HTML: tags are shown as the text they are, links open only http, https and mailto. */
export const Markdown = memo(function Markdown({ text, growing = false }: Props) {
  const blocks = useMemo(() => {
    const blocks = splitBlocks(text)
    return growing ? [...blocks.slice(0, -1), ...blocks.slice(-1).map(closeMarks)] : blocks
  }, [text, growing])
  return (
    <div className="markdown">
      {blocks.map((block, index) => (
        <Block key={index} text={block} />
      ))}
    </div>
  )
})
