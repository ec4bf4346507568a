import { Icon } from '../icons'
import type { EndNote } from './runEnd'

interface Props {
  note: EndNote
  /** Ask once more; undefined where newer messages follow. */
  onRetry: (() => void) | undefined
  enabled: boolean
}

/** How an answer ended, below it. */
export function OutcomeNote({ note, onRetry, enabled }: Props) {
  const broken = note.kind === 'failed' || note.kind === 'cut'
  return (
    <div className="outcome" data-kind={note.kind} role={broken && onRetry ? 'alert' : undefined}>
      <Icon name={note.kind === 'stopped' ? 'stopped' : 'warning'} size={16} />
      <p>
        <strong>{note.label}</strong>
        {note.reason && (
          <>
            {' '}
            <span dir="auto">{note.reason}</span>
          </>
        )}
      </p>
      {broken && onRetry && (
        <button type="button" onClick={onRetry} disabled={!enabled}>
          Try again
        </button>
      )}
    </div>
  )
}
