import { memo } from 'react'
import { Icon } from '../icons'
import type { ToolUse } from './parts'

const STATES: Record<ToolUse['state'], string> = {
  writing: 'Preparing',
  running: 'Running',
  approval: 'Waiting for approval',
  done: 'Done',
  failed: 'Failed',
  interrupted: 'Interrupted',
}

/** One use of a tool: its arguments, its state and its result. */
export const ToolCall = memo(function ToolCall({ use }: { use: ToolUse }) {
  return (
    <details className="tool" data-state={use.state}>
      <summary>
        <Icon name="tool" size={16} />
        <code>{use.name}</code>
        <span className="tool-state">
          <span className="dot" aria-hidden="true" />
          {STATES[use.state]}
        </span>
        <Icon name="chevron" size={14} />
      </summary>
      <div className="tool-body">
        <Value label="Arguments" text={use.input} />
        {use.error !== undefined ? (
          <Value label="Error" text={use.error} />
        ) : (
          use.output !== undefined && <Value label="Result" text={use.output} />
        )}
      </div>
    </details>
  )
})

function Value({ label, text }: { label: string; text: string }) {
  return (
    <>
      <p className="tool-label">{label}</p>
      <pre tabIndex={0} role="group" aria-label={label} dir="ltr">
        <code>{text || '(none)'}</code>
      </pre>
    </>
  )
}
