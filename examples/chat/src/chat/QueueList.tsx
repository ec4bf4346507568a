import { Icon, IconButton } from '../icons'
import type { Queued } from '../state/queue'

interface Props {
  queue: readonly Queued[]
  /** The last answer did not finish, or the server refused a message: nothing is sent until the user says so. */
  held: boolean
  onRemove: (id: string) => void
  onSendNow: () => void
}

/** The messages that wait, above the composer. */
export function QueueList({ queue, held, onRemove, onSendNow }: Props) {
  if (queue.length === 0) return null
  return (
    <section className="queue" aria-label="Queued messages">
      <ul>
        {queue.map(({ id, text, images }) => (
          <li key={id}>
            <Icon name="clock" size={16} />
            <span className="queue-label">Queued</span>
            <span className="queue-text" dir="auto">
              {text.trim() || (images.length === 1 ? 'An image' : `${images.length} images`)}
            </span>
            <IconButton icon="close" size={14} label="Remove from queue" onClick={() => onRemove(id)} />
          </li>
        ))}
      </ul>
      {held && (
        <p>
          <span dir="auto">Sending is paused, because the last turn did not finish.</span>
          <button type="button" onClick={onSendNow}>
            Send now
          </button>
        </p>
      )}
    </section>
  )
}
