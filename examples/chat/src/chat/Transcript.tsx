import type { UIMessage } from '@tanstack/ai-react'
import { useEffect, useLayoutEffect, useMemo, useRef, useState, type MouseEvent, type ReactNode } from 'react'
import { Icon } from '../icons'
import type { RunEnd } from '../message/runEnd'
import type { MessageActions } from './actions'
import { groupsOf, SHORT_CHAT } from './groups'
import { MessageGroup } from './MessageGroup'

/** Pixels from the end within which the reader counts as reading the end. */
const NEAR_END = 64

interface Props {
  messages: readonly UIMessage[]
  busy: boolean
  enabled: boolean
  editing: string | undefined
  /** How the last run ended, as far as the last message does not say. */
  runEnd: RunEnd | null
  actions: MessageActions
  /** Shown below the messages. */
  children: ReactNode
}

/** The messages. The view follows an answer that grows, until the reader scrolls up. */
export function Transcript({ messages, busy, enabled, editing, runEnd, actions, children }: Props) {
  const box = useRef<HTMLDivElement>(null)
  const content = useRef<HTMLDivElement>(null)
  const following = useRef(true)
  const lastTop = useRef(0)
  const [away, setAway] = useState(false)
  const newest = messages.findLast((message) => message.role === 'user')?.id
  const groups = useMemo(() => groupsOf(messages), [messages])
  const long = messages.length > SHORT_CHAT

  function onScroll() {
    const { scrollTop, scrollHeight, clientHeight } = box.current!
    const atEnd = scrollHeight - scrollTop - clientHeight < NEAR_END
    // Growing content also leaves the view behind. Only scrolling up means that the reader wants to stay.
    if (atEnd) following.current = true
    else if (scrollTop < lastTop.current) following.current = false
    lastTop.current = scrollTop
    setAway(!atEnd)
  }

  /** Stay where the reader unfolded something. */
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

  // The reader's own message is always shown.
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
          {groups.map((group, index) => {
            const last = index === groups.length - 1
            return (
              <MessageGroup
                key={index}
                messages={group}
                next={groups[index + 1]?.[0]?.role}
                lazy={long && index < groups.length - 2}
                busy={last && busy}
                enabled={enabled}
                editing={group.some(({ id }) => id === editing) ? editing : undefined}
                runEnd={last ? runEnd : null}
                actions={actions}
              />
            )
          })}
          {children}
        </div>
      </div>
      {away && (
        <button type="button" className="to-end" onClick={toEnd}>
          <Icon name="down" size={16} />
          Jump to latest
        </button>
      )}
    </div>
  )
}
