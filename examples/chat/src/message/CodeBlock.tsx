import { memo } from 'react'
import { CopyButton } from './CopyButton'

export const CodeBlock = memo(function CodeBlock({ text, language }: { text: string; language: string }) {
  const label = language ? `${language} code` : 'Code'
  return (
    <figure className="code" dir="ltr">
      <figcaption>
        <span>{language || 'code'}</span>
        <CopyButton text={text} label="Copy code" />
      </figcaption>
      <pre tabIndex={0} role="group" aria-label={label}>
        <code>{text}</code>
      </pre>
    </figure>
  )
})
