import { abortError, S2StreamError } from './errors.js'
import type { ChunkEvent } from './events.js'
import { readGeneration } from './generation.js'
import { Queue } from './queue.js'
import { link, Requests } from './requests.js'
import { persist, prepare, sendError, stopRun, userMessage } from './sending.js'
import { Liveness, Status } from './status.js'
import type { Timing } from './timing.js'
import type { Messages, RunContext, S2ConnectionOptions, S2ConnectionState, StreamChunk } from './types.js'

/** `again`: what follows belongs to another stream, whose cursors begin anew. */
type Item = ChunkEvent | 'again'

/** The modes `single-use` and `shared`: one generation at a time, read from its send's response or from the replay. */
export class Turns {
  readonly #options: S2ConnectionOptions
  readonly #requests: Requests
  readonly #timing: Timing
  readonly #status: Status
  readonly #queues = new Set<Queue<Item>>()
  readonly #attached = new Set<AbortController>()
  #cursor: number | undefined
  #last: { runId: string; messages: Messages; data: Record<string, any> | undefined } | undefined
  #open: string | undefined

  constructor(options: S2ConnectionOptions, timing: Timing) {
    this.#options = options
    this.#requests = new Requests(options, timing)
    this.#timing = timing
    this.#status = new Status(options.onStateChange)
  }

  get state(): S2ConnectionState {
    return this.#status.state
  }

  /** The send's own chunks, from its response. Without `subscribeUrl`, so that a break ends it with an S2Error. */
  async *connect(
    messages: Messages,
    data?: Record<string, any>,
    signal?: AbortSignal,
    context?: RunContext,
  ): AsyncGenerator<StreamChunk, void, undefined> {
    const { runId, response } = await this.#post(messages, data, signal, context)
    if (response.status === 202 || response.status === 204) {
      throw new S2StreamError(`The send was answered ${response.status}; its chunks need a subscribeUrl to read from.`)
    }
    try {
      for await (const { chunk } of this.#generation(response, undefined, false, signal)) {
        if (chunk) yield this.#note(chunk)
      }
    } catch (error) {
      throw sendError(error, runId, undefined)
    }
  }

  /** The generation that runs, if one does, then those of the sends. Ends only when the signal comes. */
  async *subscribe(signal?: AbortSignal): AsyncGenerator<StreamChunk, void, undefined> {
    if (signal?.aborted) return
    const queue = new Queue<Item>()
    this.#queues.add(queue)
    const close = () => queue.close()
    signal?.addEventListener('abort', close)
    const attached = new AbortController()
    const unlink = link(signal, attached)
    this.#attached.add(attached)
    void this.#attach(queue, attached)
    let seen = this.#cursor
    try {
      for await (const item of queue.read()) {
        if (item === 'again') {
          this.#cursor = seen = undefined
          continue
        }
        const { cursor, chunk } = item
        if (cursor !== undefined) {
          if (seen !== undefined && cursor <= seen) continue
          seen = cursor
        }
        if (chunk) yield this.#note(chunk)
        if (cursor !== undefined) this.#cursor = cursor
      }
    } finally {
      unlink()
      attached.abort()
      signal?.removeEventListener('abort', close)
      queue.close()
      this.#queues.delete(queue)
    }
  }

  /** Posts the messages and hands the generation to the subscribers. Resolves when it is over. */
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
      await this.#push('again')
    }
    try {
      for await (const event of this.#generation(response, this.#cursor, true, signal)) await this.#push(event)
    } catch (error) {
      throw sendError(error, runId, undefined)
    }
  }

  async stop(): Promise<void> {
    const fields = this.#requests.fields(this.#last?.messages ?? [], this.#last?.data)
    await stopRun(this.#requests, this.#timing, fields, this.#open ?? this.#last?.runId)
  }

  async #post(
    messages: Messages,
    data: Record<string, any> | undefined,
    signal: AbortSignal | undefined,
    context: RunContext | undefined,
  ): Promise<{ runId: string; response: Response }> {
    if (signal?.aborted) throw abortError()
    const { runId, body } = prepare(this.#requests, messages, data, context, this.#cursor)
    this.#last = { runId, messages, data }
    this.#open = runId
    const controller = new AbortController()
    link(signal, controller)
    const once = () => this.#requests.send(body, context?.headers, controller.signal)
    try {
      const response = (await persist(this.#timing, signal, once)) as Response
      return { runId, response }
    } catch (error) {
      this.#open = undefined
      throw sendError(error, runId, userMessage(messages))
    }
  }

  /** Reads the generation that runs at the time of subscribing, for one subscriber. */
  async #attach(queue: Queue<Item>, attached: AbortController): Promise<void> {
    try {
      for await (const event of this.#generation(undefined, this.#cursor, true, attached.signal)) {
        await queue.push(event)
      }
    } catch (error) {
      if (!attached.signal.aborted) queue.fail(error)
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
    const liveness = new Liveness(this.#status, this.#timing.quietFor)
    const controller = new AbortController()
    const unlink = link(signal, controller)
    liveness.opening()
    try {
      yield* readGeneration(this.#requests, this.#timing, response, cursor, resumable, controller.signal, {
        live: () => liveness.live(),
        broken: (reason) => liveness.lost(reason),
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

  async #push(item: Item): Promise<void> {
    await Promise.all([...this.#queues].map((queue) => queue.push(item)))
  }

  #note(chunk: StreamChunk): StreamChunk {
    const { type, runId } = chunk as { type: string; runId?: string }
    if (type === 'RUN_STARTED') this.#open = runId ?? this.#open
    return chunk
  }
}
