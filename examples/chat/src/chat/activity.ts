import type { S2ConnectionState } from 'resumable-chat-client'

/** What the chat is doing, for the line below the messages. */
export type Activity =
  /** The server has not confirmed the message yet. */
  | 'sending'
  /** The server has the message, and the answer has no content yet. */
  | 'thinking'
  /** The answer grows. */
  | 'writing'
  /** The connection is open, but the answer has not grown for a while. */
  | 'waiting'

interface Facts {
  busy: boolean
  /** A message is on its way to the server. */
  sending: boolean
  connection: S2ConnectionState
  /** The answer has content. */
  begun: boolean
  /** The newest content is reasoning, which says itself that the model is thinking. */
  reasoning: boolean
  /** Nothing has come for `SILENCE` milliseconds. */
  silent: boolean
}

/** Milliseconds without a chunk after which an answer that has begun is waited for. */
export const SILENCE = 5000

/** Return what the chat is doing. Null at rest, while a lost connection hides it, and while the answer itself says it. */
export function activityOf({ busy, sending, connection, begun, reasoning, silent }: Facts): Activity | null {
  if (sending) return 'sending'
  if (!busy || connection !== 'live') return null
  if (reasoning) return null
  if (!begun) return 'thinking'
  return silent ? 'waiting' : 'writing'
}
