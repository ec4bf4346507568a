import { useChat, type UIMessage } from '@tanstack/ai-react'
import { useCallback, useEffect, useRef, useState } from 'react'
import { hasContent } from '../message/parts'
import { runEndOfError, type RunEnd } from '../message/runEnd'
import { isFresh } from '../state/router'
import { activityOf, SILENCE, type Activity } from './activity'
import { connect, type Connection, type ConnectionStatus } from './connection'
import type { Refusal } from './refusal'
import { useAttempts, type Attempts } from './useAttempts'

export interface Session extends Omit<Attempts, 'sending' | 'giveUp'> {
  messages: UIMessage[]
  /** An answer is being written, whichever tab asked for it. */
  busy: boolean
  stopping: boolean
  status: string
  connection: ConnectionStatus
  activity: Activity | null
  /** The tab has the server's messages, or the chat is new. */
  synced: boolean
  /** How the last run ended, as far as this tab saw it; the messages tell it as well, from servers that write it there. */
  runEnd: RunEnd | null
  stop: () => Promise<void>
  /** Reconnect now. False if the client cannot. */
  reconnect: () => void
}

/** Milliseconds without a chunk after which a tab ends a stopped answer by itself. */
const STOP_PATIENCE = 3000

/**
 * Milliseconds without a chunk after which a chat counts as empty: a chat in this browser's list, and any other.
 *
 * Only for servers that send nothing for an empty chat. Others send an empty snapshot at once.
 */
const EMPTY_AFTER = { known: 10_000, unknown: 1_500 }

/** One chat, live: useChat over the session connection, and what to do with it. `known`: the chat is in the list. */
export function useSession(
  id: string,
  known: boolean,
  initialMessages: UIMessage[],
  onRefused: (refusal: Refusal) => void,
  onProblem: (text: string) => void,
): Session {
  const [status, setStatus] = useState<ConnectionStatus>({ state: 'connecting', reason: null })
  const [synced, setSynced] = useState(() => isFresh(id))
  const [runEnd, setRunEnd] = useState<RunEnd | null>(null)
  const [connection] = useState<Connection>(() => connect(id, setStatus))
  const lastChunk = useRef(0)
  const chat = useChat({
    connection: connection.adapter,
    threadId: id,
    initialMessages,
    live: true,
    onChunk: (chunk) => {
      setSynced(true)
      lastChunk.current = Date.now()
      if (chunk.type === 'RUN_ERROR') setRunEnd(runEndOfError(chunk))
      if (chunk.type === 'RUN_STARTED' || chunk.type === 'MESSAGES_SNAPSHOT') setRunEnd(null)
    },
  })
  const { messages } = chat
  const latest = useRef(chat)
  latest.current = chat
  const { sending, giveUp, ...attempts } = useAttempts(id, connection, latest, () => setRunEnd(null), onRefused)
  const busy = chat.isLoading || chat.sessionGenerating || sending

  const silent = useSilence(busy, lastChunk)
  const last = messages.at(-1)
  const begun = last?.role === 'assistant' && hasContent(last)
  const unconfirmed = sending && !chat.sessionGenerating
  const reasoning = begun && last.parts.at(-1)?.type === 'thinking'
  const activity = activityOf({ busy, sending: unconfirmed, connection: status.state, begun, reasoning, silent })

  // TanStack AI (0.33) misses the end of another tab's turn unless a snapshot came before it, and large chats get none.
  const stuck = !busy && chat.status === 'streaming'
  const endLocally = chat.stop
  useEffect(() => {
    if (stuck) endLocally()
  }, [stuck, endLocally])

  useEffect(() => {
    if (synced || status.state !== 'live') return
    const timer = setTimeout(() => setSynced(true), known ? EMPTY_AFTER.known : EMPTY_AFTER.unknown)
    return () => clearTimeout(timer)
  }, [synced, status.state, known])

  const isBusy = useRef(busy)
  isBusy.current = busy
  const [stopping, setStopping] = useState(false)
  const stop = useCallback(async () => {
    const stopped = connection.stop()
    if (giveUp()) {
      // The message comes back at once. Should it arrive all the same, the server ends its run.
      stopped.catch(() => {})
      return
    }
    setStopping(true)
    try {
      await stopped
      // The end of the answer is on its way. This tab waits for it, to see the same end as every other.
      const stoppedAt = Date.now()
      const waited = () => Date.now() - Math.max(stoppedAt, lastChunk.current)
      while (isBusy.current && waited() < STOP_PATIENCE) await new Promise((resolve) => setTimeout(resolve, 30))
      if (isBusy.current) latest.current.stop()
      setRunEnd((end) => end ?? { outcome: 'stopped' })
    } catch {
      onProblem('The answer could not be stopped: the server cannot be reached.')
    } finally {
      setStopping(false)
    }
  }, [connection, giveUp, onProblem])

  return {
    ...attempts,
    messages,
    busy,
    stopping: stopping && busy,
    status: chat.status,
    connection: status,
    activity,
    synced,
    runEnd: busy ? null : runEnd,
    stop,
    reconnect: connection.reconnect,
  }
}

/** Return whether nothing has come for `SILENCE` milliseconds while an answer is being written. */
function useSilence(busy: boolean, lastChunk: { current: number }): boolean {
  const [silent, setSilent] = useState(false)
  useEffect(() => {
    if (!busy) return
    const timer = setInterval(() => setSilent(Date.now() - lastChunk.current > SILENCE), 500)
    return () => {
      clearInterval(timer)
      setSilent(false)
    }
  }, [busy, lastChunk])
  return silent
}
