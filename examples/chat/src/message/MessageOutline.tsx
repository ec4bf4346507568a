import type { UIMessage } from '@tanstack/ai-react'
import { memo } from 'react'
import { textOf } from './parts'

/** A message far from the view: only its text, for finding in the page and for screen readers, without any layout. */
export const MessageOutline = memo(function MessageOutline({ message }: { message: UIMessage }) {
  const own = message.role === 'user'
  return (
    <article className="message" data-role={message.role} data-id={message.id} aria-label={own ? 'You' : 'Assistant'}>
      <div className={own ? 'message-body plain' : 'message-body as-written'} dir="auto">
        {textOf(message)}
      </div>
    </article>
  )
})
