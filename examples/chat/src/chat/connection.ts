import type { SubscribeConnectionAdapter } from '@tanstack/ai-react'
import { createS2Connection, type S2ConnectionState } from 'resumable-chat-client'
import { fitRequest } from './request'

/** How the tab is connected, and the error that led to it. */
export interface ConnectionStatus {
  state: S2ConnectionState
  reason: Error | null
}

/** What became of a message. `onAccepted` is called at once when the server has it. */
export interface SendOutcome {
  accepted: boolean
  error: Error | null
  onAccepted: () => void
}

export interface Connection {
  /** For useChat. */
  adapter: SubscribeConnectionAdapter
  /** Stop the answer on the server, for every reader. */
  stop: () => Promise<void>
  /** Reconnect now instead of at the end of the pause. */
  reconnect: () => void
  /** Watch the next send: useChat reports its failure as an error like any other. */
  expectSend: (onAccepted: () => void) => SendOutcome
}

/** Where the API is: at the page's own origin, unless the page is built with another. */
const API = (import.meta.env['VITE_CHAT_API'] as string | undefined) ?? '/api/chat'

/** Connect to one chat. */
export function connect(id: string, onStatus: (status: ConnectionStatus) => void): Connection {
  const session = open(id, onStatus)
  let outcome: SendOutcome = { accepted: false, error: null, onAccepted: () => {} }
  return {
    adapter: {
      subscribe: (signal) => session.subscribe(signal),
      send: async (messages, data, signal, context) => {
        const watched = outcome
        try {
          await session.send(fitRequest(messages as Parameters<typeof fitRequest>[0]), data, signal, context)
          watched.accepted = true
          watched.onAccepted()
        } catch (error) {
          if (!signal?.aborted) watched.error = error instanceof Error ? error : new Error(String(error))
          throw error
        }
      },
    },
    stop: () => session.stop(),
    reconnect: () => session.reconnect(),
    expectSend: (onAccepted) => (outcome = { accepted: false, error: null, onAccepted }),
  }
}

function open(id: string, onStatus: (status: ConnectionStatus) => void) {
  return createS2Connection({
    mode: 'session',
    sendUrl: API,
    stopUrl: API,
    subscribeUrl: `${API}/replay?id=${encodeURIComponent(id)}`,
    body: { id },
    onStateChange: (state, reason) => onStatus({ state, reason: reason ?? null }),
  })
}
