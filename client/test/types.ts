// What the types promise; checked with the newest and the oldest client's types, never run.
import { ChatClient, type ConnectConnectionAdapter, type SubscribeConnectionAdapter } from '@tanstack/ai-client'
import {
  createS2Connection,
  runOutcome,
  S2ConflictError,
  S2Error,
  type S2ConnectionOptions,
  type S2ConnectionStatus,
} from '../src/index.js'

const session = createS2Connection({
  mode: 'session',
  sendUrl: '/api/chat',
  stopUrl: () => '/api/chat',
  subscribeUrl: (cursor?: number) => `/api/chat/replay?from=${cursor ?? ''}`,
  headers: async () => ({ Authorization: 'Bearer x' }),
  credentials: 'include',
  body: (messages, data) => ({ id: 'c1', count: messages.length, mood: data?.mood }),
  fetch: globalThis.fetch,
  hydrateUrl: '/api/chat/stream?id=c1',
  onStateChange: (state, reason) => void [state satisfies string, reason?.message],
  timing: { hiddenAfter: Infinity },
})
session satisfies SubscribeConnectionAdapter
session.stop() satisfies Promise<void>
session.reconnect() satisfies void
session.status satisfies S2ConnectionStatus
session.watch(() => {}) satisfies () => void
session.status.retryAt satisfies number | undefined
new ChatClient({ connection: session })

const single = createS2Connection({ sendUrl: '/api/chat', headers: { a: 'b' }, body: { id: 'c1' } })
single satisfies ConnectConnectionAdapter
single.stop satisfies (() => Promise<void>) | undefined
new ChatClient({ connection: single })
// @ts-expect-error There is nothing to subscribe to.
single.subscribe

declare const options: S2ConnectionOptions
const any = createS2Connection(options)
new ChatClient({ connection: any })
any.stop satisfies (() => Promise<void>) | undefined

// @ts-expect-error There is no such mode.
createS2Connection({ mode: 'sesion', sendUrl: '/' })
// @ts-expect-error Where to send is not optional.
createS2Connection({ mode: 'session', subscribeUrl: '/' })
// @ts-expect-error Nor is there such an outcome.
runOutcome({ role: 'assistant' })?.outcome satisfies 'exploded' | undefined
for (const message of new ChatClient({ connection: session }).getMessages()) {
  runOutcome(message)?.outcome satisfies 'finished' | 'stopped' | 'failed' | 'lost' | 'deadline' | undefined
}

// @ts-expect-error The status is the connection's.
session.status.state = 'live'
// @ts-expect-error So is the state.
session.state = 'live'

declare const error: unknown
if (error instanceof S2ConflictError) error.unsent?.parts satisfies ReadonlyArray<unknown> | undefined
if (error instanceof S2Error) error.status satisfies number | undefined
