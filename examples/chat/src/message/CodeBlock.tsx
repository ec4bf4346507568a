import { memo } from 'react'
import { CopyButton } from './CopyButton'

export const CodeBlock = memo(function CodeBlock({ text, language }: { text: string; language: string }) {
  return (
    <figure className="code">
      <figcaption>
        <span>{language || 'code'}</span>
        <CopyButton text={text} label="Copy code" />
      </figcaption>
      <pre tabIndex={0} aria-label={language ? `${language} code` : 'Code'}>
        <code>{text}</code>
      </pre>
    </figure>
  )
})
