import type { UIMessage } from '@tanstack/ai-react'
import { memo, useMemo } from 'react'
import type { MessageActions } from '../chat/actions'
import { IconButton } from '../icons'
import { CopyButton } from './CopyButton'
import { EditMessage } from './EditMessage'
import { Markdown } from './Markdown'
import { OutcomeNote } from './OutcomeNote'
import { Reasoning } from './Reasoning'
import { ToolCall } from './ToolCall'
import { shownParts, textOf, type Shown } from './parts'
import { endNote, runEndOf, type RunEnd } from './runEnd'
import { useThrottled } from './useThrottled'

/** Return the milliseconds between two renderings of a message that grows: the longer its last paragraph, the more. */
function pauseFor(message: UIMessage): number {
  const last = message.parts.at(-1)
  const text = last?.type === 'text' || last?.type === 'thinking' ? last.content : ''
  const growing = text.length - (text.lastIndexOf('\n\n') + 1)
  return Math.min(500, 40 + growing / 60)
}

export interface RowProps {
  message: UIMessage
  /** Where the message is in the chat: the last one, one that an answer follows, or any other. */
  place: 'last' | 'answered' | 'other'
  /** More of it will come. */
  writing: boolean
  /** An answer is being written below it, whose end will be another. */
  pending: boolean
  /** Whether it can be edited, regenerated or retried now. */
  enabled: boolean
  editing: boolean
  /** How its run ended, if the message itself does not say. */
  runEnd: RunEnd | null
  actions: MessageActions
}

/** One message. Only the message that is being written renders again while chunks come in. */
export const MessageView = memo(function MessageView(props: RowProps) {
  const { message, place, writing, pending, enabled, editing, runEnd, actions } = props
  const current = useThrottled(message, writing ? pauseFor(message) : 0)
  const shown = useMemo(() => shownParts(current, writing), [current, writing])
  const pictures = shown.filter((part) => part.kind === 'image')
  const text = textOf(message)
  const own = message.role === 'user'
  const end = runEndOf(message) ?? runEnd
  // Where the answer follows, it tells how it ended.
  const note = end === null || writing || pending || (own && place === 'answered') ? null : endNote(end)
  const outcome = note && (
    <OutcomeNote note={note} onRetry={place === 'last' ? actions.retry : undefined} enabled={enabled} />
  )
  return (
    <article className="message" data-role={message.role} data-id={message.id} aria-label={own ? 'You' : 'Assistant'}>
      {editing ? (
        <EditMessage messageId={message.id} text={text} enabled={enabled} actions={actions} />
      ) : (
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
        </div>
      )}
      {!writing && !own && shown.length === 0 && note === null && <p className="faint">The answer is empty.</p>}
      {!own && outcome}
      {!editing && !writing && (
        <div className="message-actions">
          {text && <CopyButton text={text} label="Copy message" />}
          {own ? (
            <IconButton icon="edit" label="Edit" disabled={!enabled} onClick={() => actions.startEdit(message.id)} />
          ) : (
            <IconButton
              icon="redo"
              label="Regenerate"
              disabled={!enabled}
              onClick={() => actions.regenerate(message.id)}
            />
          )}
        </div>
      )}
      {own && outcome}
    </article>
  )
})

function PartView({ part, own, active }: { part: Shown; own: boolean; active: boolean }) {
  switch (part.kind) {
    case 'text':
      return own ? (
        <p className="plain" dir="auto">
          {part.text}
        </p>
      ) : (
        <Markdown text={part.text} growing={active} />
      )
    case 'reasoning':
      return <Reasoning text={part.text} active={active} />
    case 'tool':
      return <ToolCall use={part.use} />
    case 'image':
      return null // All pictures come first.
    case 'link':
      return (
        <a href={part.url} target="_blank" rel="noopener noreferrer nofollow">
          {part.label}
        </a>
      )
    case 'data':
      return (
        <pre className="data" tabIndex={0} role="group" aria-label="Data" dir="ltr">
          <code>{part.text}</code>
        </pre>
      )
  }
}
