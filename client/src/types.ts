import type { ConnectConnectionAdapter, SubscribeConnectionAdapter } from '@tanstack/ai-client'
import type { Timing } from './timing.js'

type Send = SubscribeConnectionAdapter['send']

/** A chunk (AG-UI event) as the installed TanStack AI types it. */
export type StreamChunk =
  ReturnType<SubscribeConnectionAdapter['subscribe']> extends AsyncIterable<infer Chunk> ? Chunk : never

/** The messages of a send, as the installed TanStack AI types them. */
export type Messages = Parameters<Send>[0]

export type { UIMessage } from './ui-message.js'

/** What TanStack AI says about the run of a send (from 0.10 on), as far as this package reads it. */
export interface RunContext {
  threadId?: string
  runId?: string
  /** The run that this one continues. */
  parentRunId?: string
  /** The answers to that run's interrupts. */
  resume?: ReadonlyArray<unknown>
  /** The definitions of the tools that this client runs. */
  clientTools?: ReadonlyArray<unknown>
  /** Headers for this one send. They win over the connection's. */
  headers?: Record<string, string>
}

/** How answers map to streams, as the server has it. */
export type S2ConnectionMode = 'single-use' | 'shared' | 'session'

/**
 * What the connection does, for the UI.
 *
 * - `connecting`: a stream is being opened, for the first time or after a pause.
 * - `live`: a stream is open. It stays `live` while a stream that ended is quietly reopened.
 * - `reconnecting`: there has been no stream for a while (2 s); it is attempted again and again.
 * - `paused`: no stream is open, because none is needed: nobody subscribes, or the tab is hidden.
 * - `failed`: the server refused (400, 401, 403, 404 …). It is not asked again until the next subscription.
 */
export type S2ConnectionState = 'connecting' | 'live' | 'reconnecting' | 'paused' | 'failed'

/** The state with its circumstances. */
export interface S2ConnectionStatus {
  readonly state: S2ConnectionState
  /** What led to `reconnecting` or `failed`, if it was an error. */
  readonly reason: Error | undefined
  /** When `reconnecting` goes on to its next attempt (ms since 1970); undefined while that is under way. */
  readonly retryAt: number | undefined
}

/** A URL, or a function that is called before each request. */
export type UrlOption = string | (() => string)

/** Headers, or a function (it may be async) that is called before each request. */
export type HeadersOption = HeadersInit | (() => HeadersInit | Promise<HeadersInit>)

/** Fields for the body, or a function of the messages and data that are sent. */
export type BodyOption =
  | Record<string, unknown>
  | ((messages: Messages, data?: Record<string, any>) => Record<string, unknown>)

export interface S2ConnectionOptions {
  /** The server's mode. Default: `single-use`, as in S2's package. */
  mode?: S2ConnectionMode | undefined

  /** Where messages are posted. */
  sendUrl: UrlOption

  /**
   * Where the running answer is stopped (DELETE). With it, the connection has a method `stop`.
   *
   * The request carries the fields of `body` and `runId` as JSON; if the URL has a query, `runId` is added to it.
   */
  stopUrl?: UrlOption | undefined

  /**
   * Where the chunks are read (GET, server-sent events). Required in mode `session`.
   *
   * To a string, the cursor is added as the parameter `from`; a function is given the cursor and returns the whole
   * URL. In the other modes this turns the connection into one that subscribes, so that a reloaded page can read on.
   */
  subscribeUrl?: string | ((cursor?: number) => string) | undefined

  /**
   * Where the stored chat is fetched (GET with `threadId`, JSON), for `useChat`'s server-driven persistence. Mode
   * `session` only. Without it, the connection has no `hydrate`, and the subscription alone brings the chat.
   */
  hydrateUrl?: UrlOption | undefined

  /** More headers for every request. */
  headers?: HeadersOption | undefined

  /** Forwarded to `fetch`. Default: `same-origin`. */
  credentials?: RequestCredentials | undefined

  /**
   * More fields for the body of each send and stop. They win over the connection's own, which are `messages`, `data`,
   * `runId`, `from`, `parentRunId`, `resume` and `tools`. For a stop, a function gets what was sent last.
   */
  body?: BodyOption | undefined

  /** Another `fetch`, which must stream its response. Default: the global one. */
  fetch?: typeof fetch | undefined

  /** Called after every change of `state`, with the error that led to it, if there was one. */
  onStateChange?: ((state: S2ConnectionState, reason?: Error) => void) | undefined

  /** Times that differ from the defaults, in milliseconds. */
  timing?: Partial<Timing> | undefined
}

/** What a connection has beyond TanStack AI's adapter. */
export interface S2ConnectionExtras {
  /** What the connection does now. `onStateChange` tells of every change. */
  readonly state: S2ConnectionState

  /** The state with its circumstances: the same object until something changes. */
  readonly status: S2ConnectionStatus

  /**
   * Call `watcher` after every change of `status`. The returned function ends that. With React:
   * `useSyncExternalStore(connection.watch, () => connection.status)`.
   */
  watch(watcher: () => void): () => void

  /** Try again now whatever waits for its next attempt: the stream, a send, a stop. */
  reconnect(): void

  /**
   * Stop the running answer on the server, whichever tab or device asked for it. Present only with `stopUrl`.
   *
   * Resolves when it is stopped, and when nothing ran. Names the run of the send under way, else the run that the
   * subscription shows, so that it never stops a later one. Rejects with an {@link S2Error}.
   */
  stop?: () => Promise<void>
}

/** A connection that subscribes: mode `session`, and the other modes with `subscribeUrl`. */
export type S2SubscribeConnection = SubscribeConnectionAdapter & S2ConnectionExtras

/** A connection whose sends bring the chunks in their own response: the other modes without `subscribeUrl`. */
export type S2ConnectConnection = ConnectConnectionAdapter & S2ConnectionExtras

/** What `createS2Connection` returns: `useChat`'s and `ChatClient`'s `connection`. */
export type S2Connection = S2SubscribeConnection | S2ConnectConnection

type Subscribing = { subscribeUrl: string | ((cursor?: number) => string) }

/** The connection for these options, as exactly as they are known. */
export type S2ConnectionFor<Options extends S2ConnectionOptions> = (Options extends Subscribing
  ? S2SubscribeConnection
  : 'subscribeUrl' extends keyof Options
    ? S2Connection
    : S2ConnectConnection) &
  (Options extends { stopUrl: UrlOption } ? { stop: () => Promise<void> } : unknown)
