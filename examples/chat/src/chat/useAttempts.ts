import type { useChat } from '@tanstack/ai-react'
import { useCallback, useRef, useState, type RefObject } from 'react'
import { setOutbox, type Draft } from '../state/drafts'
import { randomId } from '../state/ids'
import type { Connection, SendOutcome } from './connection'
import type { Attempt, Refusal } from './refusal'

type Chat = ReturnType<typeof useChat>

export interface Attempts {
  /** A message is on its way, and the server has not confirmed it. */
  sending: boolean
  /** Send a message. False if another one is on its way, in which case nothing happens. */
  send: (draft: Draft) => boolean
  edit: (messageId: string, text: string) => void
  regenerate: (messageId: string) => void
  /** Ask once more for the last answer. */
  retry: () => void
  /** Give up the message that is on its way, if the server has not confirmed it. False if there is none. */
  giveUp: () => boolean
}

/**
 * What a tab can ask of the server, one thing at a time.
 *
 * When the server refuses, `onRefused` gets everything back. The tab then shows messages that the server does not have,
 * so its owner opens the session again, which makes it show what every other tab shows.
 */
export function useAttempts(
  id: string,
  connection: Connection,
  chat: RefObject<Chat>,
  onStart: () => void,
  onRefused: (refusal: Refusal) => void,
): Attempts {
  const [sending, setSending] = useState(false)
  const underWay = useRef<SendOutcome | null>(null)
  const latest = useRef({ onStart, onRefused })
  latest.current = { onStart, onRefused }

  const attempt = useCallback(
    async (attempt: Attempt, start: (chat: Chat) => Promise<void>) => {
      const before = chat.current.messages
      if (underWay.current !== null) {
        if (attempt.kind !== 'regenerate') latest.current.onRefused({ attempt, reason: null, messages: before })
        return
      }
      const outcome = connection.expectSend(() => {
        setOutbox(id, null)
        setSending(false)
      })
      underWay.current = outcome
      setSending(true)
      latest.current.onStart()
      try {
        await start(chat.current)
      } finally {
        underWay.current = null
        setSending(false)
      }
      if (!outcome.accepted) latest.current.onRefused({ attempt, reason: outcome.error, messages: before })
    },
    [id, connection, chat],
  )

  const send = useCallback(
    (draft: Draft) => {
      if (underWay.current !== null) return false
      const messageId = draft.id ?? `user-${randomId()}`
      const message = { ...draft, id: messageId }
      setOutbox(id, message)
      void attempt({ kind: 'send', draft: message }, (chat) => {
        // A message that a failed send left behind, or that arrived after all, is replaced by itself.
        const at = chat.messages.findIndex((message) => message.id === messageId)
        if (at >= 0) chat.setMessages(chat.messages.slice(0, at))
        return chat.sendMessage({ content: contentOf(draft), id: messageId })
      })
      return true
    },
    [id, attempt],
  )

  const edit = useCallback(
    (messageId: string, text: string) => {
      void attempt({ kind: 'edit', messageId, text }, async (chat) => {
        const at = chat.messages.findIndex((message) => message.id === messageId)
        const edited = chat.messages[at]
        if (edited === undefined) return
        const { metadata: _, ...message } = edited // It tells how the earlier run ended.
        const others = edited.parts.filter((part) => part.type !== 'text')
        const parts = [...(text.trim() ? [{ type: 'text', content: text.trim() } as const] : []), ...others]
        chat.setMessages(chat.messages.slice(0, at))
        // A list that begins with another message than the chat does would only add to it.
        const id = at === 0 ? messageId : `user-${randomId()}`
        await chat.append({ ...message, id, parts, createdAt: new Date() })
      })
    },
    [attempt],
  )

  const regenerate = useCallback(
    (messageId: string) => {
      void attempt({ kind: 'regenerate' }, async (chat) => {
        const at = chat.messages.findIndex((message) => message.id === messageId)
        const asked = chat.messages.slice(0, at + 1).findLastIndex((message) => message.role === 'user')
        if (asked < 0) return
        chat.setMessages(chat.messages.slice(0, asked + 1))
        await chat.reload()
      })
    },
    [attempt],
  )

  const retry = useCallback(() => void attempt({ kind: 'regenerate' }, (chat) => chat.reload()), [attempt])

  const giveUp = useCallback(() => {
    if (underWay.current?.accepted !== false) return false
    chat.current.stop()
    return true
  }, [chat])

  return { sending, send, edit, regenerate, retry, giveUp }
}

function contentOf(draft: Draft) {
  const text = draft.text.trim()
  if (draft.images.length === 0) return text
  return [
    ...(text ? [{ type: 'text', content: text } as const] : []),
    ...draft.images.map(
      ({ value, mimeType }) => ({ type: 'image', source: { type: 'data', value, mimeType } }) as const,
    ),
  ]
}
