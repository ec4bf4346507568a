import { Icon } from '../icons'

interface Props {
  kind: 'error' | 'info' | 'progress'
  text: string
  action: string
  onAction: () => void
  enabled?: boolean
}

/** A sentence that the user has to know, and the one thing to do about it. Errors are read out at once. */
export function Notice({ kind, text, action, onAction, enabled = true }: Props) {
  return (
    <div className="notice" data-kind={kind} role={kind === 'error' ? 'alert' : undefined}>
      {kind === 'error' && <Icon name="warning" />}
      {kind === 'progress' && <span className="spinner" aria-hidden="true" />}
      <p dir="auto">{text}</p>
      <button type="button" onClick={onAction} disabled={!enabled}>
        {action}
      </button>
    </div>
  )
}
