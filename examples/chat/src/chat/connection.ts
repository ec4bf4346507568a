import type { SubscribeConnectionAdapter } from '@tanstack/ai-react'
import { createS2Connection, type S2ConnectionState } from 'resumable-chat-client'
import { fitRequest } from './request'

export type ConnectionState = S2ConnectionState

/** What became of a message: `accepted` once the server has it, which `onAccepted` is told at once. */
export interface SendOutcome {
  accepted: boolean
  error: Error | null
  onAccepted: () => void
}

export interface Connection {
  /** For useChat. */
  adapter: SubscribeConnectionAdapter
  /** Stops the answer on the server, for everybody. */
  stop: () => Promise<void>
  /** Watch the next send: useChat reports its failure as an error like any other. */
  expectSend: (onAccepted: () => void) => SendOutcome
}

/** Where the API is; the page's own origin unless it is built with another. */
const API = (import.meta.env['VITE_CHAT_API'] as string | undefined) ?? '/api/chat'

/** The connection of one chat. */
export function connect(id: string, onStateChange: (state: ConnectionState) => void): Connection {
  const session = createS2Connection({
    mode: 'session',
    sendUrl: API,
    stopUrl: API,
    subscribeUrl: `${API}/replay?id=${encodeURIComponent(id)}`,
    body: { id },
    onStateChange,
  })
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
    expectSend: (onAccepted) => (outcome = { accepted: false, error: null, onAccepted }),
  }
}
