import { abortError } from '../errors.js'
import { Requests, withParameter } from '../requests.js'
import { discard, streamOf } from '../responses.js'
import { newRunId, persist, sendError, type Persistence } from '../sending.js'
import { link } from '../signals.js'
import { Liveness, Status } from '../status.js'
import { DEFAULT_TIMING, Waits, type Timing } from '../timing.js'
import type { UIMessage } from '../ui-message.js'
import { within } from '../within.js'
import { readAnswer, type AnswerOptions } from './answer.js'
import type {
  ReconnectOptions,
  RequestOptions,
  Resolvable,
  ResumableTransport,
  ResumableTransportOptions,
  SendOptions,
  UIMessageChunk,
} from './types.js'

const DEFAULT_API = '/api/ai-sdk/chat'

/** Sends, reads and stops the answers of any number of chats. */
export class Transport implements ResumableTransport {
  readonly resumeStreamIsReplay = true
  readonly #options: ResumableTransportOptions
  readonly #timing: Timing
  readonly #status: Status
  readonly #waits = new Waits()
  /** What was read of each chat, as the cursor after it. */
  readonly #cursors = new Map<string, number>()
  /** The runs that this transport sent and reads. */
  readonly #running = new Map<string, string>()

  constructor(options: ResumableTransportOptions) {
    this.#options = options
    this.#timing = { ...DEFAULT_TIMING, ...options.timing }
    this.#status = new Status(options.onStateChange)
  }

  get state() {
    return this.#status.current.state
  }

  get status() {
    return this.#status.current
  }

  watch(watcher: () => void): () => void {
    return this.#status.watch(watcher)
  }

  reconnect(): void {
    this.#waits.end()
  }

  async sendMessages(options: SendOptions): Promise<ReadableStream<UIMessageChunk>> {
    const { chatId, messages, trigger, messageId, abortSignal: signal } = options
    if (signal?.aborted) throw abortError()
    const fields: Record<string, unknown> = { ...(await resolved(this.#options.body)), ...options.body }
    const runId = typeof fields.runId === 'string' ? fields.runId : newRunId()
    const from = this.#cursors.get(chatId)
    const body = JSON.stringify({ ...fields, id: chatId, messages, trigger, messageId, runId, from })
    const requests = this.#requests(chatId, options)
    const post = async (limited: AbortSignal) =>
      streamOf(await requests.send(body, undefined, limited), 'The send')
    const liveness = this.#opening()
    this.#running.set(chatId, runId)
    try {
      const response = await persist({ ...this.#persistence('The send'), body, signal }, post)
      const again = (limited: AbortSignal, patience: number) => within('The send', patience, limited, post)
      return this.#stream(chatId, requests, response as ReadableStream<Uint8Array>, again, signal, liveness, runId)
    } catch (error) {
      this.#over(chatId, runId)
      const failure = sendError(error, runId, lastOfUser(messages))
      if (!signal?.aborted) liveness.failed(failure)
      liveness.leave()
      throw failure
    }
  }

  async reconnectToStream(options: ReconnectOptions): Promise<ReadableStream<UIMessageChunk> | null> {
    const { chatId, abortSignal: signal } = options
    if (signal?.aborted) throw abortError()
    const requests = this.#requests(chatId, options)
    const liveness = this.#opening()
    try {
      const get = (limited: AbortSignal) => requests.replay(undefined, limited)
      const response = await persist({ ...this.#persistence('The resume'), signal }, get)
      if (response) {
        const again = (limited: AbortSignal, patience: number) => requests.replay(undefined, limited, patience)
        return this.#stream(chatId, requests, response, again, signal, liveness)
      }
      liveness.leave()
      return null
    } catch (error) {
      if (!signal?.aborted) liveness.failed(error as Error)
      liveness.leave()
      throw error
    }
  }

  async stop(chatId: string): Promise<void> {
    const runId = this.#running.get(chatId)
    const stopUrl = appended(this.#api, `/${encodeURIComponent(chatId)}/stop`)
    const requests = new Requests({ ...this.#shared(), sendUrl: stopUrl }, this.#timing)
    const stop = { ...this.#persistence('The stop'), lost: () => true }
    try {
      const post = async (signal: AbortSignal) =>
        discard(await requests.send(JSON.stringify({ runId }), undefined, signal, 'The stop'))
      await persist(stop, post)
    } catch (error) {
      throw sendError(error, runId, undefined)
    }
  }

  #stream(
    chatId: string,
    requests: Requests,
    body: ReadableStream<Uint8Array>,
    again: AnswerOptions['again'],
    signal: AbortSignal | undefined,
    liveness: Liveness,
    runId?: string,
  ): ReadableStream<UIMessageChunk> {
    const closing = new AbortController()
    const unlink = link(signal, closing)
    const leave = () => {
      unlink()
      closing.abort()
      liveness.leave()
      this.#over(chatId, runId)
    }
    const chunks = readAnswer({
      timing: this.#timing,
      waits: this.#waits,
      body,
      again,
      after: (cursor, limited, patience) => requests.replay(cursor, limited, patience),
      signal: closing.signal,
      live: () => liveness.live(),
      broken: (reason, retryAt) => liveness.lost(reason, retryAt),
      passed: (cursor) => this.#cursors.set(chatId, cursor),
    })
    return new ReadableStream<UIMessageChunk>({
      async pull(controller) {
        try {
          const { done, value } = await chunks.next()
          if (!done) return controller.enqueue(value)
          leave()
          controller.close()
        } catch (error) {
          if (!closing.signal.aborted) liveness.failed(error as Error)
          leave()
          controller.error(error)
        }
      },
      cancel() {
        leave()
        chunks.return().catch(() => {})
      },
    })
  }

  get #api(): string {
    return this.#options.api ?? DEFAULT_API
  }

  #requests(chatId: string, { headers }: RequestOptions): Requests {
    const resume = appended(this.#api, `/${encodeURIComponent(chatId)}/stream`)
    const shared = this.#shared()
    const own = async () => {
      const all = new Headers(await resolved(shared.headers))
      new Headers(headers).forEach((value, name) => all.set(name, value))
      return all
    }
    const subscribeUrl = (cursor?: number) => withParameter(resume, 'from', cursor)
    return new Requests({ ...shared, headers: own, sendUrl: this.#api, subscribeUrl }, this.#timing)
  }

  #shared() {
    const { headers, credentials, fetch } = this.#options
    return { headers, credentials, fetch }
  }

  #opening(): Liveness {
    const liveness = new Liveness(this.#status, this.#timing.quietFor)
    liveness.opening()
    return liveness
  }

  #over(chatId: string, runId: string | undefined): void {
    if (this.#running.get(chatId) === runId) this.#running.delete(chatId)
  }

  #persistence(what: string): Persistence {
    return { what, timing: this.#timing, waits: this.#waits }
  }
}

async function resolved<Value>(value: Resolvable<Value> | undefined): Promise<Value | undefined> {
  return typeof value === 'function' ? (value as () => Value | Promise<Value>)() : value
}

/** Return the URL with this added to its path. */
function appended(url: string, path: string): string {
  const [, before = '', after = ''] = /^([^?#]*)(.*)$/s.exec(url) ?? []
  return `${before.replace(/\/$/, '')}${path}${after}`
}

function lastOfUser(messages: ReadonlyArray<unknown>): UIMessage | undefined {
  const last = messages.at(-1) as Partial<UIMessage> | undefined
  return last?.role === 'user' ? (last as UIMessage) : undefined
}
