import type { UIMessage } from '@tanstack/ai-react'
import { useEffect, useLayoutEffect, useRef, useState, type MouseEvent, type ReactNode } from 'react'
import { Icon } from '../icons'
import { Guard } from '../message/Guard'
import { MessageView } from '../message/MessageView'
import type { MessageActions } from './actions'

/** Pixels from the end within which the reader counts as reading the end. */
const NEAR_END = 64

interface Props {
  messages: readonly UIMessage[]
  busy: boolean
  enabled: boolean
  editing: string | undefined
  actions: MessageActions
  /** Stands below the messages. */
  children: ReactNode
}

/** The messages. The view follows an answer that grows until the reader scrolls up, and again from its end. */
export function Transcript({ messages, busy, enabled, editing, actions, children }: Props) {
  const box = useRef<HTMLDivElement>(null)
  const content = useRef<HTMLDivElement>(null)
  const following = useRef(true)
  const lastTop = useRef(0)
  const [away, setAway] = useState(false)
  const newest = messages.findLast((message) => message.role === 'user')?.id

  function onScroll() {
    const { scrollTop, scrollHeight, clientHeight } = box.current!
    const atEnd = scrollHeight - scrollTop - clientHeight < NEAR_END
    // Growing content also leaves the view behind; only moving up is a wish to stay.
    if (atEnd) following.current = true
    else if (scrollTop < lastTop.current) following.current = false
    lastTop.current = scrollTop
    setAway(!atEnd)
  }

  /** Whoever unfolds something wants to read it. */
  function onToggle(event: MouseEvent) {
    if ((event.target as Element).closest('summary') !== null) following.current = false
  }

  function toEnd() {
    following.current = true
    box.current!.scrollTop = box.current!.scrollHeight
  }

  useEffect(() => {
    const observer = new ResizeObserver(() => {
      if (following.current) box.current!.scrollTop = box.current!.scrollHeight
    })
    observer.observe(content.current!)
    observer.observe(box.current!)
    return () => observer.disconnect()
  }, [])

  // A message of one's own is always shown.
  useLayoutEffect(toEnd, [newest])

  return (
    <div className="transcript-frame">
      <div
        className="transcript"
        ref={box}
        onScroll={onScroll}
        onClick={onToggle}
        role="log"
        aria-label="Conversation"
        aria-live="polite"
        aria-busy={busy}
        tabIndex={0}
      >
        <div className="column" ref={content}>
          {messages.map((message, index) =>
            message.role === 'system' ? null : (
              <Guard key={message.id} of={message}>
                <MessageView
                  message={message}
                  writing={busy && index === messages.length - 1 && message.role === 'assistant'}
                  enabled={enabled}
                  editing={editing === message.id}
                  actions={actions}
                />
              </Guard>
            ),
          )}
          {children}
        </div>
      </div>
      {away && (
        <button type="button" className="to-end" onClick={toEnd}>
          <Icon name="down" size={16} />
          {busy ? 'Follow the answer' : 'To the end'}
        </button>
      )}
    </div>
  )
}
