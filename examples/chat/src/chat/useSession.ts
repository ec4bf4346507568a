import { useChat, type UIMessage } from '@tanstack/ai-react'
import { useCallback, useEffect, useRef, useState } from 'react'
import { setOutbox, type Draft } from '../state/drafts'
import { randomId } from '../state/ids'
import { isFresh } from '../state/router'
import { connect, type Connection, type ConnectionState, type SendOutcome } from './connection'

/** What was tried when the server did not take it. */
export type Attempt =
  | { kind: 'send'; draft: Draft }
  | { kind: 'edit'; messageId: string; text: string }
  | { kind: 'regenerate' }

export interface Refusal {
  attempt: Attempt
  /** Why it was not taken; null if the user stopped it before it was. */
  reason: Error | null
  /** The messages as they were before. */
  messages: UIMessage[]
}

export interface Session {
  messages: UIMessage[]
  /** An answer is being written, whoever asked for it. */
  busy: boolean
  stopping: boolean
  status: string
  connection: ConnectionState
  /** The chat as the server has it is here, or there is none yet. */
  synced: boolean
  /** Why the last answer ended early. */
  runError: string | null
  send: (draft: Draft) => void
  edit: (messageId: string, text: string) => void
  regenerate: (messageId: string) => void
  /** Ask once more for the last answer. */
  retry: () => void
  stop: () => Promise<void>
}

/** Milliseconds without a chunk after which a stopped answer is ended by this tab alone. */
const STOP_PATIENCE = 3000

/** Milliseconds without a chunk after which a chat counts as empty: one that this browser knows, and any other. */
const EMPTY_AFTER = { known: 10_000, unknown: 1_500 }

/**
 * One chat, live: useChat over the session connection, and what to do with it.
 *
 * When the server refuses a message, `onRefused` gets everything back. The tab then shows messages that the server
 * does not have, so its owner opens the session anew; that makes it show what every other tab shows. `known` says that
 * the chat has messages.
 */
export function useSession(
  id: string,
  known: boolean,
  initialMessages: UIMessage[],
  onRefused: (refusal: Refusal) => void,
  onProblem: (text: string) => void,
): Session {
  const [state, setState] = useState<ConnectionState>('connecting')
  const [synced, setSynced] = useState(() => isFresh(id))
  const [stopping, setStopping] = useState(false)
  const [runError, setRunError] = useState<string | null>(null)
  const [connection] = useState<Connection>(() => connect(id, setState))
  const lastChunk = useRef(0)
  const chat = useChat({
    connection: connection.adapter,
    threadId: id,
    initialMessages,
    live: true,
    onChunk: (chunk) => {
      setSynced(true)
      lastChunk.current = Date.now()
      if (chunk.type === 'RUN_ERROR') setRunError(chunk.message || 'The answer failed.')
      if (chunk.type === 'RUN_STARTED' || chunk.type === 'MESSAGES_SNAPSHOT') setRunError(null)
    },
  })
  const busy = chat.isLoading || chat.sessionGenerating

  const now = useRef({ chat, busy, onRefused, onProblem })
  now.current = { chat, busy, onRefused, onProblem }
  const underWay = useRef<SendOutcome | null>(null)

  useEffect(() => {
    if (!busy) setStopping(false)
  }, [busy])

  // TanStack AI (0.33) does not see a turn of another tab end unless a snapshot came before it, and large chats get none.
  const stuck = !busy && chat.status === 'streaming'
  const endLocally = chat.stop
  useEffect(() => {
    if (stuck) endLocally()
  }, [stuck, endLocally])

  // The server says nothing about a chat that is empty.
  useEffect(() => {
    if (synced || state !== 'live') return
    const timer = setTimeout(() => setSynced(true), known ? EMPTY_AFTER.known : EMPTY_AFTER.unknown)
    return () => clearTimeout(timer)
  }, [synced, state, known])

  const attempt = useCallback(
    async (attempt: Attempt, start: (chat: typeof now.current.chat) => Promise<void>) => {
      const { chat } = now.current
      const before = chat.messages
      if (underWay.current !== null) {
        if (attempt.kind !== 'regenerate') now.current.onRefused({ attempt, reason: null, messages: before })
        return
      }
      const outcome = connection.expectSend(() => setOutbox(id, null))
      underWay.current = outcome
      setRunError(null)
      try {
        await start(chat)
      } finally {
        underWay.current = null
      }
      if (!outcome.accepted) now.current.onRefused({ attempt, reason: outcome.error, messages: before })
    },
    [id, connection],
  )

  const send = useCallback(
    (draft: Draft) => {
      const messageId = draft.id ?? `user-${randomId()}`
      const sending = { ...draft, id: messageId }
      setOutbox(id, sending)
      void attempt({ kind: 'send', draft: sending }, (chat) => {
        // A message that a failed send left behind, or that arrived after all, is replaced by itself.
        const at = chat.messages.findIndex((message) => message.id === messageId)
        if (at >= 0) chat.setMessages(chat.messages.slice(0, at))
        return chat.sendMessage({ content: contentOf(draft), id: messageId })
      })
    },
    [id, attempt],
  )

  const edit = useCallback(
    (messageId: string, text: string) => {
      void attempt({ kind: 'edit', messageId, text }, async (chat) => {
        const at = chat.messages.findIndex((message) => message.id === messageId)
        const edited = chat.messages[at]
        if (edited === undefined) return
        const others = edited.parts.filter((part) => part.type !== 'text')
        const content = [...(text.trim() ? [{ type: 'text', content: text.trim() } as const] : []), ...others]
        chat.setMessages(chat.messages.slice(0, at))
        await chat.append({ ...edited, id: `user-${randomId()}`, parts: content, createdAt: new Date() })
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

  const stop = useCallback(async () => {
    const stopped = connection.stop()
    if (underWay.current?.accepted === false) {
      // The message is not there yet. It comes back at once; should it arrive all the same, the server ends its run.
      stopped.catch(() => {})
      now.current.chat.stop()
      return
    }
    setStopping(true)
    try {
      await stopped
      // The end of the answer is on its way; waiting for it, this tab sees the same end as every other.
      const stoppedAt = Date.now()
      const waited = () => Date.now() - Math.max(stoppedAt, lastChunk.current)
      while (now.current.busy && waited() < STOP_PATIENCE) await new Promise((resolve) => setTimeout(resolve, 30))
      if (now.current.busy) now.current.chat.stop()
    } catch {
      now.current.onProblem('The answer could not be stopped: the server cannot be reached.')
    } finally {
      setStopping(false)
    }
  }, [connection])

  return {
    messages: chat.messages,
    busy,
    stopping,
    status: chat.status,
    connection: state,
    synced,
    runError: busy ? null : runError,
    send,
    edit,
    regenerate,
    retry,
    stop,
  }
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
