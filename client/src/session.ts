import { abortError, S2UnavailableError } from './errors.js'
import { Presence } from './presence.js'
import { discard, link, Requests } from './requests.js'
import { persist, prepare, sendError, stopRun, userMessage } from './sending.js'
import { Status } from './status.js'
import { Subscription } from './subscription.js'
import { after, type Timing } from './timing.js'
import type { Messages, RunContext, S2ConnectionOptions, S2ConnectionState, StreamChunk } from './types.js'

const BYTES_PER_MS = 16

/** A send: its run, and what is known of it. */
interface Sent {
  readonly runId: string
  readonly messages: Messages
  readonly data: Record<string, any> | undefined
  started: boolean
  over: boolean
  /** Called when the stream shows that its run started. */
  onStarted: () => void
}

/** Mode `session`: sends and subscriptions are requests of their own, and meet in the log. */
export class Session {
  readonly #requests: Requests
  readonly #timing: Timing
  readonly #status: Status
  readonly #presence: Presence
  readonly #subscriptions = new Set<Subscription>()
  readonly #underWay = new Set<Sent>()
  readonly #impatient = new Set<() => void>()
  #last: Sent | undefined
  #cursor: number | undefined

  constructor(options: S2ConnectionOptions, timing: Timing) {
    this.#requests = new Requests(options, timing)
    this.#timing = timing
    this.#status = new Status(options.onStateChange)
    this.#presence = new Presence(timing, {
      away: () => this.#each((subscription) => subscription.pause()),
      back: () => this.#each((subscription) => subscription.refresh(timing.staleAfter)),
      online: () => {
        this.#each((subscription) => subscription.refresh())
        for (const retry of [...this.#impatient]) retry()
      },
    })
  }

  get state(): S2ConnectionState {
    return this.#status.state
  }

  /**
   * The chat, from the beginning: a snapshot, the running answer, then everything live. Each subscription begins so,
   * for it may be another client's. Ends only when the signal comes; throws the S2Error that ended it.
   */
  async *subscribe(signal?: AbortSignal): AsyncGenerator<StreamChunk, void, undefined> {
    if (signal?.aborted) return
    const subscription: Subscription = new Subscription(
      this.#requests,
      this.#timing,
      this.#status,
      signal,
      () => this.#presence.away,
      (chunk) => this.#consumed(chunk),
    )
    this.#subscriptions.add(subscription)
    this.#presence.watch()
    try {
      yield* subscription.chunks()
    } finally {
      this.#cursor = subscription.delivered ?? this.#cursor
      this.#subscriptions.delete(subscription)
      if (this.#subscriptions.size === 0) this.#presence.leave()
      this.#updateBusy()
    }
  }

  /** Posts the messages. Resolves once the server has accepted them, or the stream shows that it has. */
  async send(
    messages: Messages,
    data?: Record<string, any>,
    signal?: AbortSignal,
    context?: RunContext,
  ): Promise<void> {
    if (signal?.aborted) throw abortError()
    const { runId, body } = prepare(this.#requests, messages, data, context, this.#seen())
    const sent: Sent = { runId, messages, data, started: false, over: false, onStarted: () => {} }
    const message = userMessage(messages)
    const withdraw = () => this.#each((subscription) => subscription.delivery.withdraw(runId))

    this.#last = sent
    this.#underWay.add(sent)
    this.#each((subscription) => subscription.delivery.expect(runId, message?.id))
    this.#presence.need()
    this.#updateBusy()
    this.#each((subscription) => subscription.wake())
    // A stopped send is not waited for any more, before its answer and after.
    signal?.addEventListener('abort', () => (withdraw(), this.#updateBusy()), { once: true })
    try {
      const started = new Promise<void>((resolve) => {
        sent.onStarted = resolve
      })
      await Promise.race([this.#post(sent, body, context?.headers, signal), started])
      this.#each((subscription) => subscription.accept(runId))
    } catch (error) {
      withdraw()
      throw sendError(error, runId, message)
    } finally {
      this.#underWay.delete(sent)
      this.#updateBusy()
    }
  }

  /** Stops the run under way on the server. */
  async stop(): Promise<void> {
    const sent = [...this.#underWay].at(-1)
    const open = [...this.#subscriptions].map(({ delivery }) => delivery.openRun).find((run) => run !== undefined)
    const last = this.#last && !this.#last.over ? this.#last.runId : undefined
    const runId = sent?.runId ?? open ?? last
    const fields = this.#requests.fields(this.#last?.messages ?? [], this.#last?.data)
    await stopRun(this.#requests, this.#timing, fields, runId, this.#online)
  }

  /** Posts until it gets through. A post without an answer, of which the stream shows nothing, counts as lost. */
  async #post(
    sent: Sent,
    body: string,
    headers: Record<string, string> | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const patience = this.#timing.sendLostAfter + body.length / BYTES_PER_MS
    const once = async () => {
      const attempt = new AbortController()
      const unlink = link(signal, attempt)
      let lost = false
      const clear = after(patience, () => {
        lost = this.state === 'live' && !this.#isShown(sent.runId)
        if (lost) attempt.abort()
      })
      try {
        discard(await this.#requests.send(body, headers, attempt.signal))
      } catch (error) {
        if (lost && !signal?.aborted) throw new S2UnavailableError(`The send got no answer in ${Math.round(patience)} ms.`)
        throw error
      } finally {
        clear()
        unlink()
      }
    }
    await persist(this.#timing, signal, once, () => sent.started, this.#online)
  }

  readonly #online = (retry: () => void): (() => void) => {
    this.#impatient.add(retry)
    return () => this.#impatient.delete(retry)
  }

  #each(call: (subscription: Subscription) => void): void {
    for (const subscription of [...this.#subscriptions]) call(subscription)
  }

  #isShown(runId: string): boolean {
    return [...this.#subscriptions].some(({ delivery }) => delivery.isShown(runId))
  }

  /** What every subscriber has seen: the cursor that the sender's messages stand for. */
  #seen(): number | undefined {
    const cursors = [...this.#subscriptions].map(({ delivered }) => delivered)
    const known = cursors.filter((cursor) => cursor !== undefined)
    return known.length > 0 ? Math.min(...known) : this.#cursor
  }

  #consumed(chunk: StreamChunk): void {
    const { type, runId } = chunk as { type: string; runId?: string }
    if (type === 'RUN_STARTED') {
      for (const sent of this.#underWay) {
        if (sent.runId !== runId) continue
        sent.started = true
        sent.onStarted()
      }
    }
    if ((type === 'RUN_FINISHED' || type === 'RUN_ERROR') && this.#last && this.#last.runId === runId) {
      this.#last.over = true
    }
    if (type.startsWith('RUN_')) this.#updateBusy()
  }

  #updateBusy(): void {
    this.#presence.busy = this.#underWay.size > 0 || [...this.#subscriptions].some(({ delivery }) => delivery.busy)
  }
}
