import { Icon } from '../icons'

interface Props {
  kind: 'error' | 'info'
  text: string
  action: string
  onAction: () => void
  enabled: boolean
}

export function Notice({ kind, text, action, onAction, enabled }: Props) {
  return (
    <div className="notice" data-kind={kind} role={kind === 'error' ? 'alert' : undefined}>
      {kind === 'error' && <Icon name="warning" />}
      <p>{text}</p>
      <button type="button" onClick={onAction} disabled={!enabled}>
        {action}
      </button>
    </div>
  )
}
