import { memo } from 'react'
import { Icon } from '../icons'
import { Markdown } from './Markdown'

/** What the model thought, folded away. */
export const Reasoning = memo(function Reasoning({ text, active }: { text: string; active: boolean }) {
  return (
    <details className="reasoning">
      <summary>
        <Icon name="chevron" size={14} />
        <span className={active ? 'shimmer' : undefined}>{active ? 'Thinking…' : 'Reasoning'}</span>
      </summary>
      <Markdown text={text} growing={active} />
    </details>
  )
})
