import { memo, useState } from 'react'
import { Icon } from '../icons'
import { Seconds } from '../Seconds'
import { Markdown } from './Markdown'

/** The model's reasoning, folded away. While it grows, it counts the seconds that this tab has seen it take. */
export const Reasoning = memo(function Reasoning({ text, active }: { text: string; active: boolean }) {
  const [since] = useState(Date.now)
  return (
    <details className="reasoning">
      <summary>
        <Icon name="chevron" size={14} />
        {active ? (
          <span className="shimmer">
            Thinking… <Seconds since={since} />
          </span>
        ) : (
          <span>Reasoning</span>
        )}
      </summary>
      <Markdown text={text} growing={active} />
    </details>
  )
})
