import { memo, useEffect, useState } from 'react'
import { Icon } from '../icons'
import { Seconds } from '../Seconds'
import { Markdown } from './Markdown'

/** The model's reasoning, folded away, with the seconds that this tab saw it take. */
export const Reasoning = memo(function Reasoning({ text, active }: { text: string; active: boolean }) {
  const [begun, setBegun] = useState(() => (active ? Date.now() : null))
  const [took, setTook] = useState<number | null>(null)

  useEffect(() => {
    if (active) setBegun((begun) => begun ?? Date.now())
    else if (begun !== null) setTook((took) => took ?? Math.max(1, Math.round((Date.now() - begun) / 1000)))
  }, [active, begun])

  return (
    <details className="reasoning">
      <summary>
        <Icon name="chevron" size={14} />
        {active ? (
          <span className="shimmer">
            Thinking… <Seconds since={begun ?? Date.now()} />
          </span>
        ) : (
          <span>{took === null ? 'Reasoning' : `Thought for ${took} s`}</span>
        )}
      </summary>
      <Markdown text={text} growing={active} />
    </details>
  )
})
