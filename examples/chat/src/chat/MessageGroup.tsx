import type { UIMessage } from '@tanstack/ai-react'
import { memo, useEffect, useRef, useState } from 'react'
import { flushSync } from 'react-dom'
import { Guard } from '../message/Guard'
import { MessageOutline } from '../message/MessageOutline'
import { MessageView } from '../message/MessageView'
import type { RunEnd } from '../message/runEnd'
import type { MessageActions } from './actions'
import { heightOf, sameMessages } from './groups'

interface Props {
  messages: readonly UIMessage[]
  /** The role of the message after the group; undefined if the group is the last one. */
  next: string | undefined
  /** Lay the group out only near the view. */
  lazy: boolean
  busy: boolean
  enabled: boolean
  editing: string | undefined
  runEnd: RunEnd | null
  actions: MessageActions
}

/** Messages that are rendered in full once the reader comes near them. Until then, they are their text alone. */
export const MessageGroup = memo(function MessageGroup(props: Props) {
  const { messages, next, lazy, busy, enabled, editing, runEnd, actions } = props
  const box = useRef<HTMLDivElement>(null)
  const [near, setNear] = useState(!lazy)
  const full = near || !lazy

  useEffect(() => {
    if (full) return
    const onView = (entries: IntersectionObserverEntry[]) => {
      if (entries.some(({ isIntersecting }) => isIntersecting)) setNear(true)
    }
    const margin = { root: box.current!.closest('.transcript'), rootMargin: '100% 0px' }
    const observer = new IntersectionObserver(onView, margin)
    const onPrint = () => flushSync(() => setNear(true))
    observer.observe(box.current!)
    window.addEventListener('beforeprint', onPrint)
    return () => {
      observer.disconnect()
      window.removeEventListener('beforeprint', onPrint)
    }
  }, [full])

  return (
    <div
      ref={box}
      className={lazy ? 'group lazy' : 'group'}
      style={lazy ? { containIntrinsicBlockSize: `auto ${heightOf(messages)}px` } : undefined}
    >
      {messages.map((message, index) => {
        if (message.role === 'system') return null
        if (!full) return <MessageOutline key={message.id} message={message} />
        const last = next === undefined && index === messages.length - 1
        const answered = (messages[index + 1]?.role ?? next) === 'assistant'
        return (
          <Guard key={message.id} of={message} fallback={<p className="faint">This message cannot be shown.</p>}>
            <MessageView
              message={message}
              place={last ? 'last' : answered ? 'answered' : 'other'}
              writing={busy && last && message.role === 'assistant'}
              pending={busy && last}
              enabled={enabled}
              editing={editing === message.id}
              runEnd={last ? runEnd : null}
              actions={actions}
            />
          </Guard>
        )
      })}
    </div>
  )
}, unchanged)

function unchanged({ messages, ...before }: Props, { messages: now, ...after }: Props): boolean {
  const names = Object.keys(before) as (keyof typeof before)[]
  return sameMessages(messages, now) && names.every((name) => before[name] === after[name])
}
