import { ClientTools } from './client-tools.js'
import { abortError, S2StreamError } from './errors.js'
import type { ChunkEvent } from './events.js'
import { readGeneration } from './generation.js'
import { OwnRuns } from './own-runs.js'
import { Queue } from './queue.js'
import { Requests } from './requests.js'
import { persist, prepare, sendError, userMessage, type Persistence } from './sending.js'
import { closable, link } from './signals.js'
import { Liveness, Status } from './status.js'
import { Waits, type Timing } from './timing.js'
import type { Messages, RunContext, S2ConnectionOptions, StreamChunk } from './types.js'

/** One subscriber: what waits for it, and the cursor after that. */
class Reader {
  readonly queue = new Queue()
  #cursor: number | undefined

  constructor(cursor: number | undefined) {
    this.#cursor = cursor
  }

  /** Add an event, unless it was there before. Resolves when there is room for more. */
  async push({ cursor, chunk }: ChunkEvent): Promise<void> {
    if (cursor !== undefined) {
      if (this.#cursor !== undefined && cursor <= this.#cursor) return
      this.#cursor = cursor
    }
    await this.queue.push({ chunk, cursor })
  }

  /** What follows is another stream, with cursors of its own. */
  restart(): void {
    this.#cursor = undefined
  }
}

/** The modes `single-use` and `shared`: one answer at a time, read from its send's response or from `subscribeUrl`. */
export class Turns {
  readonly status: Status
  readonly #options: S2ConnectionOptions
  readonly #requests: Requests
  readonly #timing: Timing
  readonly #own = new OwnRuns()
  readonly #tools = new ClientTools(this.#own)
  readonly #waits = new Waits()
  readonly #readers = new Set<Reader>()
  readonly #attached = new Set<AbortController>()
  #cursor: number | undefined
  #last: { runId: string; messages: Messages; data: Record<string, any> | undefined } | undefined
  #open: string | undefined

  constructor(options: S2ConnectionOptions, timing: Timing) {
    this.#options = options
    this.#requests = new Requests(options, timing)
    this.#timing = timing
    this.status = new Status(options.onStateChange)
  }

  /** Send, and yield the chunks of the response. There is no `subscribeUrl`, so a break throws an S2Error. */
  connect(
    messages: Messages,
    data?: Record<string, any>,
    signal?: AbortSignal,
    context?: RunContext,
  ): AsyncGenerator<StreamChunk, void, undefined> {
    return closable((closed) => this.#connect(messages, data, closed, context), signal)
  }

  /** Yield the running answer, if there is one, then those of the sends. Ends only when the signal comes. */
  subscribe(signal?: AbortSignal): AsyncGenerator<StreamChunk, void, undefined> {
    return closable((closed) => this.#subscribe(closed), signal)
  }

  /** Post the messages and hand the answer to the subscribers. Resolves when it is over. */
  async send(
    messages: Messages,
    data?: Record<string, any>,
    signal?: AbortSignal,
    context?: RunContext,
  ): Promise<void> {
    const { runId, response } = await this.#post(messages, data, signal, context)
    for (const attached of this.#attached) attached.abort()
    if (this.#options.mode !== 'shared') {
      this.#cursor = undefined
      for (const reader of this.#readers) reader.restart()
    }
    try {
      for await (const event of this.#generation(response, this.#cursor, true, signal)) {
        this.#claim(event.chunk)
        await Promise.all([...this.#readers].map((reader) => reader.push(event)))
      }
    } catch (error) {
      throw sendError(error, runId, undefined)
    }
  }

  /** Stop the running answer on the server. */
  async stop(): Promise<void> {
    const fields = this.#requests.fields(this.#last?.messages ?? [], this.#last?.data)
    const runId = this.#open ?? this.#last?.runId
    try {
      const stop = { ...this.#persistence('The stop'), lost: () => true }
      await persist(stop, (signal) => this.#requests.stop(fields, runId, signal))
    } catch (error) {
      throw sendError(error, runId, undefined)
    }
  }

  /** Try again now whatever waits for its next attempt. */
  reconnect(): void {
    this.#waits.end()
  }

  async *#connect(
    messages: Messages,
    data: Record<string, any> | undefined,
    signal: AbortSignal,
    context: RunContext | undefined,
  ): AsyncGenerator<StreamChunk, void, undefined> {
    const { runId, response } = await this.#post(messages, data, signal, context)
    if (response.status === 202 || response.status === 204) {
      throw new S2StreamError(`The send was answered ${response.status}; its chunks need a subscribeUrl to read from.`)
    }
    const reader = new Reader(undefined)
    const pump = async () => {
      try {
        for await (const event of this.#generation(response, undefined, false, signal)) {
          this.#claim(event.chunk)
          await reader.push(event)
        }
        reader.queue.end()
      } catch (error) {
        reader.queue.fail(sendError(error, runId, undefined))
      }
    }
    void pump()
    try {
      for await (const { chunk } of reader.queue.read()) {
        const passed = chunk && this.#noted(chunk)
        if (passed) yield passed
      }
    } finally {
      reader.queue.close()
    }
  }

  async *#subscribe(signal: AbortSignal): AsyncGenerator<StreamChunk, void, undefined> {
    if (signal.aborted) return
    const reader = new Reader(this.#cursor)
    this.#readers.add(reader)
    const close = () => reader.queue.close()
    signal.addEventListener('abort', close)
    const attached = new AbortController()
    const unlink = link(signal, attached)
    this.#attached.add(attached)
    void this.#attach(reader, attached)
    try {
      for await (const { cursor, chunk } of reader.queue.read()) {
        // The consumer may send as soon as it has the chunk, and has seen it then.
        this.#cursor = cursor ?? this.#cursor
        const passed = chunk && this.#noted(chunk)
        if (passed) yield passed
      }
    } finally {
      unlink()
      attached.abort()
      signal.removeEventListener('abort', close)
      reader.queue.close()
      this.#readers.delete(reader)
    }
  }

  /** Return the chunk as the consumer should see it. */
  #noted(chunk: StreamChunk): StreamChunk | undefined {
    const { type, runId } = chunk as { type: string; runId?: string }
    if (type === 'RUN_STARTED') this.#open = runId ?? this.#open
    return this.#tools.pass(chunk)
  }

  async #post(
    messages: Messages,
    data: Record<string, any> | undefined,
    signal: AbortSignal | undefined,
    context: RunContext | undefined,
  ): Promise<{ runId: string; response: Response }> {
    if (signal?.aborted) throw abortError()
    const { runId, body } = prepare(this.#requests, messages, data, context, this.#cursor)
    if (signal?.aborted) throw abortError()
    this.#last = { runId, messages, data }
    this.#open = runId
    this.#own.add(runId)
    const persistence = { ...this.#persistence('The send'), body, signal }
    const once = (limited: AbortSignal) => this.#requests.send(body, context?.headers, limited)
    try {
      const response = (await persist(persistence, once)) as Response
      return { runId, response }
    } catch (error) {
      this.#open = undefined
      throw sendError(error, runId, userMessage(messages))
    }
  }

  /** Read the answer that runs at the time of subscribing, for one subscriber. Never rejects. */
  async #attach(reader: Reader, attached: AbortController): Promise<void> {
    try {
      for await (const event of this.#generation(undefined, this.#cursor, true, attached.signal)) {
        await reader.push(event)
      }
    } catch (error) {
      if (!attached.signal.aborted) reader.queue.fail(error)
    } finally {
      this.#attached.delete(attached)
    }
  }

  async *#generation(
    response: Response | undefined,
    cursor: number | undefined,
    resumable: boolean,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<ChunkEvent, void, undefined> {
    const liveness = new Liveness(this.status, this.#timing.quietFor)
    const controller = new AbortController()
    const unlink = link(signal, controller)
    liveness.opening()
    try {
      yield* readGeneration({
        requests: this.#requests,
        timing: this.#timing,
        waits: this.#waits,
        response,
        cursor,
        resumable,
        signal: controller.signal,
        live: () => liveness.live(),
        broken: (reason, retryAt) => liveness.lost(reason, retryAt),
      })
    } catch (error) {
      if (!controller.signal.aborted) liveness.failed(error as Error)
      throw error
    } finally {
      unlink()
      controller.abort()
      liveness.leave()
    }
  }

  /** The runs in the response to a send are this tab's, whatever the server calls them. */
  #claim(chunk: StreamChunk | undefined): void {
    const { type, runId } = (chunk ?? {}) as { type?: string; runId?: unknown }
    if (type === 'RUN_STARTED' && typeof runId === 'string') this.#own.add(runId)
  }

  #persistence(what: string): Persistence {
    return { what, timing: this.#timing, waits: this.#waits }
  }
}
