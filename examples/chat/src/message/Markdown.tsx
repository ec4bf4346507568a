import { memo, useId, useMemo, type ComponentProps } from 'react'
import ReactMarkdown, { type Components, type ExtraProps } from 'react-markdown'
import type { Piece } from './bound'
import { CodeBlock } from './CodeBlock'
import { Guard } from './Guard'
import { piecesOf } from './pieces'
import { REHYPE_PLUGINS, REMARK_PLUGINS } from './plugins'

const COMPONENTS: Components = {
  pre: Pre,
  a: ({ href, children, node: _, ...props }) =>
    href?.startsWith('#') ? (
      <a href={href} {...props}>
        {children}
      </a>
    ) : (
      <a href={href} target="_blank" rel="noopener noreferrer nofollow">
        {children}
      </a>
    ),
  // Never load an image by itself: its address could carry what was said here to anybody.
  img: ({ src, alt }) =>
    typeof src === 'string' && src ? (
      <a href={src} target="_blank" rel="noopener noreferrer nofollow">
        {alt || src}
      </a>
    ) : (
      <>{alt}</>
    ),
  table: ({ dir, children }) => (
    <div className="table" role="group" aria-label="Table" tabIndex={0} dir={dir}>
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

const PieceView = memo(function PieceView({ kind, text, language = '' }: Piece) {
  const id = useId()
  const notes = useMemo(() => ({ clobberPrefix: `${id}-` }), [id])
  const written = <PlainText text={text} />
  if (kind === 'code') return <CodeBlock text={text} language={language} />
  if (kind === 'plain') return written
  return (
    <Guard of={text} fallback={written}>
      <ReactMarkdown
        remarkPlugins={REMARK_PLUGINS}
        rehypePlugins={REHYPE_PLUGINS}
        remarkRehypeOptions={notes}
        components={COMPONENTS}
      >
        {text}
      </ReactMarkdown>
    </Guard>
  )
})

function PlainText({ text }: { text: string }) {
  return (
    <p className="as-written" dir="auto">
      {text}
    </p>
  )
}

interface Props {
  text: string
  /** More of it will come. */
  growing?: boolean
}

/** Markdown without raw HTML: tags are shown as text, and links open only http, https and mailto. */
export const Markdown = memo(function Markdown({ text, growing = false }: Props) {
  const pieces = useMemo(() => piecesOf(text, growing), [text, growing])
  return (
    <div className="markdown">
      {pieces.map((piece, index) => (
        <PieceView key={index} {...piece} />
      ))}
    </div>
  )
})
