import type { UIMessage } from '@tanstack/ai-react'
import { memo, useMemo } from 'react'
import type { MessageActions } from '../chat/actions'
import { Dots, IconButton } from '../icons'
import { CopyButton } from './CopyButton'
import { EditMessage } from './EditMessage'
import { Markdown } from './Markdown'
import { Reasoning } from './Reasoning'
import { ToolCall } from './ToolCall'
import { shownParts, textOf, type Shown } from './parts'
import { useThrottled } from './useThrottled'

/** Milliseconds between two renderings of a message that grows: the longer its last paragraph, the more. */
function pauseFor(message: UIMessage): number {
  const last = message.parts.at(-1)
  const text = last?.type === 'text' || last?.type === 'thinking' ? last.content : ''
  const growing = text.length - (text.lastIndexOf('\n\n') + 1)
  return Math.min(500, 40 + growing / 60)
}

interface Props {
  message: UIMessage
  /** More of it is to come. */
  writing: boolean
  /** Whether it can be edited or written anew now. */
  enabled: boolean
  editing: boolean
  actions: MessageActions
}

/** One message. Only the one that is being written renders again while chunks come in. */
export const MessageView = memo(function MessageView({ message, writing, enabled, editing, actions }: Props) {
  const current = useThrottled(message, writing ? pauseFor(message) : 0)
  const shown = useMemo(() => shownParts(current, writing), [current, writing])
  const pictures = shown.filter((part) => part.kind === 'image')
  const text = textOf(message)
  const own = message.role === 'user'
  return (
    <article className="message" data-role={message.role} data-id={message.id} aria-label={own ? 'You' : 'Assistant'}>
      {editing ? (
        <EditMessage messageId={message.id} text={text} enabled={enabled} actions={actions} />
      ) : (
        <>
          <div className="message-body">
            {pictures.length > 0 && (
              <div className="pictures">
                {pictures.map(({ url }, index) => (
                  <a key={index} className="picture" href={url} download="image">
                    <img src={url} alt={`Image ${index + 1} of ${pictures.length}`} />
                  </a>
                ))}
              </div>
            )}
            {shown.map((part, index) => (
              <PartView key={index} part={part} own={own} active={writing && index === shown.length - 1} />
            ))}
            {writing && <Pending parts={shown} />}
            {!writing && !own && shown.length === 0 && <p className="faint">There is no answer.</p>}
          </div>
          {!writing && (
            <div className="message-actions">
              {text && <CopyButton text={text} label="Copy message" />}
              {own ? (
                <IconButton
                  icon="edit"
                  label="Edit and send again"
                  disabled={!enabled}
                  onClick={() => actions.startEdit(message.id)}
                />
              ) : (
                <IconButton
                  icon="redo"
                  label="Write this answer anew"
                  disabled={!enabled}
                  onClick={() => actions.regenerate(message.id)}
                />
              )}
            </div>
          )}
        </>
      )}
    </article>
  )
})

function PartView({ part, own, active }: { part: Shown; own: boolean; active: boolean }) {
  switch (part.kind) {
    case 'text':
      return own ? <p className="plain">{part.text}</p> : <Markdown text={part.text} growing={active} />
    case 'reasoning':
      return <Reasoning text={part.text} active={active} />
    case 'tool':
      return <ToolCall use={part.use} />
    case 'image':
      return null // Pictures stand together.
    case 'link':
      return (
        <a href={part.url} target="_blank" rel="noopener noreferrer nofollow">
          {part.label}
        </a>
      )
    case 'data':
      return (
        <pre className="data" tabIndex={0} aria-label="Data">
          <code>{part.text}</code>
        </pre>
      )
  }
}

/** A sign that more is to come, where the text itself does not show it. */
function Pending({ parts }: { parts: readonly Shown[] }) {
  if (parts.at(-1)?.kind === 'reasoning') return null
  return <Dots />
}
