import type { Timing } from '../timing.js'

/** A value, or a function that is called before each request. It may be async. */
export type Resolvable<Value> = Value | (() => Value | Promise<Value>)

/** A chunk of the protocol "UI message stream", as far as this package reads it. */
export interface UIMessageChunk {
  type: string
  [field: string]: unknown
}

export interface ResumableTransportOptions {
  /** The chat's routes, as for `DefaultChatTransport`. Default: `/api/ai-sdk/chat`. */
  api?: string | undefined

  /** More headers for every request. */
  headers?: Resolvable<HeadersInit> | undefined

  /** Forwarded to `fetch`. Default: `same-origin`. */
  credentials?: RequestCredentials | undefined

  /** More fields for the body of each send. The model gets them as data. */
  body?: Resolvable<object> | undefined

  /** Another `fetch`, which must stream its response. Default: the global one. */
  fetch?: typeof fetch | undefined

  /** Called after every change of `state`, with the error that led to it, if there was one. */
  onStateChange?: ((state: TransportState, reason?: Error) => void) | undefined

  /** Times that differ from the defaults, in milliseconds. */
  timing?: Partial<Timing> | undefined
}

/**
 * What the transport does, for the UI.
 *
 * - `connecting`: an answer is asked for.
 * - `live`: an answer is being read. It stays `live` while a response that broke is quietly replaced.
 * - `reconnecting`: there has been no response for a while (2 s); it is attempted again and again.
 * - `paused`: no answer is read.
 * - `failed`: the last answer could not be read to its end.
 */
export type TransportState = 'connecting' | 'live' | 'reconnecting' | 'paused' | 'failed'

/** The state with its circumstances. */
export interface TransportStatus {
  readonly state: TransportState
  /** What led to `reconnecting` or `failed`, if it was an error. */
  readonly reason: Error | undefined
  /** When `reconnecting` goes on to its next attempt (ms since 1970); undefined while that is under way. */
  readonly retryAt: number | undefined
}

/** What the AI SDK adds to a request. */
export interface RequestOptions {
  headers?: Record<string, string> | Headers | undefined
  body?: object | undefined
  metadata?: unknown
}

export interface SendOptions extends RequestOptions {
  trigger: 'submit-message' | 'regenerate-message'
  chatId: string
  messageId: string | undefined
  messages: ReadonlyArray<unknown>
  abortSignal: AbortSignal | undefined
}

export interface ReconnectOptions extends RequestOptions {
  chatId: string
  abortSignal?: AbortSignal | undefined
}

/** A `ChatTransport` of the AI SDK, for `useChat` and `Chat`, which comes back to an answer by itself. */
export interface ResumableTransport {
  /** A resumed answer comes from its beginning. */
  readonly resumeStreamIsReplay: true

  /** Post the messages. Resolves with the answer once the server has accepted them. Rejects with an S2Error. */
  sendMessages(options: SendOptions): Promise<ReadableStream>

  /** Resolves with the running answer from its beginning, or null if nothing runs. Rejects with an S2Error. */
  reconnectToStream(options: ReconnectOptions): Promise<ReadableStream | null>

  /**
   * Stop the running answer on the server, whichever tab or device asked for it. What was written of it stays.
   *
   * Resolves when it is stopped, and when nothing ran. Rejects with an S2Error.
   */
  stop(chatId: string): Promise<void>

  /** What the transport does now. */
  readonly state: TransportState

  /** The state with its circumstances: the same object until something changes. */
  readonly status: TransportStatus

  /** Call `watcher` after every change of `status`. The returned function ends that. */
  watch(watcher: () => void): () => void

  /** Try again now whatever waits for its next attempt. */
  reconnect(): void
}
