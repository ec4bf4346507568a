import { abortError } from './errors.js'
import { hydrate, type Hydration, type HydrateOptions } from './hydration.js'
import { OwnRuns } from './own-runs.js'
import { Presence } from './presence.js'
import { Requests } from './requests.js'
import { discard } from './responses.js'
import { persist, prepare, sendError, userMessage, type Persistence } from './sending.js'
import { closable } from './signals.js'
import { Status } from './status.js'
import { Subscription, type Surroundings } from './subscription.js'
import { Waits, type Timing } from './timing.js'
import type { Messages, RunContext, S2ConnectionOptions, StreamChunk } from './types.js'

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

/** Mode `session`: sends and subscriptions are separate requests, and meet in the log. */
export class Session {
  readonly status: Status
  readonly #requests: Requests
  readonly #timing: Timing
  readonly #presence: Presence
  readonly #around: Surroundings
  readonly #own = new OwnRuns()
  readonly #waits = new Waits()
  readonly #subscriptions = new Set<Subscription>()
  readonly #underWay = new Set<Sent>()
  #last: Sent | undefined
  #cursor: number | undefined

  constructor(options: S2ConnectionOptions, timing: Timing) {
    this.#requests = new Requests(options, timing)
    this.#timing = timing
    this.status = new Status(options.onStateChange)
    this.#presence = new Presence(timing, {
      away: () => this.#each((subscription) => subscription.pause()),
      back: () => this.#each((subscription) => subscription.refresh(timing.staleAfter)),
      online: () => {
        this.#each((subscription) => subscription.refresh())
        this.#waits.end()
      },
    })
    this.#around = {
      requests: this.#requests,
      timing,
      status: this.status,
      own: this.#own,
      isAway: () => this.#presence.away,
      // A server that is back takes what waits to be sent, too.
      opened: () => this.#waits.end(),
      came: (chunk) => this.#came(chunk),
      consumed: (chunk) => this.#consumed(chunk),
    }
  }

  /**
   * Read the chat from its beginning: a snapshot, the running answer, then everything live. Each subscription begins
   * so, because it may be another client's. Ends only when the signal comes; throws the S2Error that ended it.
   */
  subscribe(signal?: AbortSignal): AsyncGenerator<StreamChunk, void, undefined> {
    return closable((closed) => this.#read(closed), signal)
  }

  /** Post the messages. Resolves once the server has accepted them, or the stream shows that it has. */
  async send(
    messages: Messages,
    data?: Record<string, any>,
    signal?: AbortSignal,
    context?: RunContext,
  ): Promise<void> {
    if (signal?.aborted) throw abortError()
    const { runId, body } = prepare(this.#requests, messages, data, context, this.#seen())
    // The option `body` is the app's function.
    if (signal?.aborted) throw abortError()
    const sent: Sent = { runId, messages, data, started: false, over: false, onStarted: () => {} }
    const message = userMessage(messages)
    const withdraw = () => this.#each((subscription) => subscription.delivery.withdraw(runId))
    // A stopped send is not waited for any more, before its answer and after.
    signal?.addEventListener('abort', () => (withdraw(), this.#updateBusy()), { once: true })

    this.#last = sent
    this.#own.add(runId)
    this.#underWay.add(sent)
    this.#each((subscription) => subscription.delivery.expect(runId, message?.id))
    this.#presence.need()
    this.#updateBusy()
    this.#each((subscription) => subscription.wake())
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

  /** Stop the run under way on the server. */
  async stop(): Promise<void> {
    const sent = [...this.#underWay].at(-1)
    const open = [...this.#subscriptions].map(({ delivery }) => delivery.openRun).find((run) => run !== undefined)
    const last = this.#last && !this.#last.over ? this.#last.runId : undefined
    const runId = sent?.runId ?? open ?? last
    const fields = this.#requests.fields(this.#last?.messages ?? [], this.#last?.data)
    try {
      const stop = { ...this.#persistence('The stop'), lost: () => true }
      await persist(stop, (signal) => this.#requests.stop(fields, runId, signal))
    } catch (error) {
      throw sendError(error, runId, undefined)
    }
  }

  /** Try again now whatever waits for its next attempt. */
  reconnect(): void {
    this.#each((subscription) => subscription.retry())
    this.#waits.end()
  }

  /** Fetch the stored chat. What a subscription has shown meanwhile is newer, and is left out. */
  async hydrate(threadId: string, options?: HydrateOptions): Promise<Hydration> {
    const hydration = await hydrate(this.#requests, threadId, options)
    if (options?.before !== undefined) return hydration
    const subscriptions = [...this.#subscriptions]
    if (subscriptions.some(({ delivered }) => delivered !== undefined)) hydration.messages = []
    if (subscriptions.some(({ delivery }) => delivery.busy)) hydration.interrupts = null
    return hydration
  }

  async *#read(signal: AbortSignal): AsyncGenerator<StreamChunk, void, undefined> {
    if (signal.aborted) return
    const subscription = new Subscription(this.#around, signal)
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

  async #post(
    sent: Sent,
    body: string,
    headers: Record<string, string> | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const persistence = {
      ...this.#persistence('The send'),
      body,
      signal,
      known: () => sent.started,
      lost: () => this.status.current.state === 'live' && !this.#isShown(sent.runId),
    }
    await persist(persistence, async (limited) => discard(await this.#requests.send(body, headers, limited)))
  }

  #persistence(what: string): Persistence {
    return { what, timing: this.#timing, waits: this.#waits }
  }

  #each(call: (subscription: Subscription) => void): void {
    for (const subscription of [...this.#subscriptions]) call(subscription)
  }

  #isShown(runId: string): boolean {
    return [...this.#subscriptions].some(({ delivery }) => delivery.isShown(runId))
  }

  /** Return the cursor that all subscribers have reached. */
  #seen(): number | undefined {
    const cursors = [...this.#subscriptions].map(({ delivered }) => delivered)
    const known = cursors.filter((cursor) => cursor !== undefined)
    return known.length > 0 ? Math.min(...known) : this.#cursor
  }

  #came(chunk: StreamChunk): void {
    const { type, runId } = chunk as { type: string; runId?: string }
    if (type === 'RUN_STARTED') {
      for (const sent of this.#underWay) sent.started ||= sent.runId === runId
    }
    if ((type === 'RUN_FINISHED' || type === 'RUN_ERROR') && this.#last && this.#last.runId === runId) {
      this.#last.over = true
    }
    if (type.startsWith('RUN_')) this.#updateBusy()
  }

  #consumed(chunk: StreamChunk): void {
    const { type, runId } = chunk as { type: string; runId?: string }
    if (type !== 'RUN_STARTED') return
    for (const sent of this.#underWay) if (sent.runId === runId) sent.onStarted()
  }

  #updateBusy(): void {
    this.#presence.busy = this.#underWay.size > 0 || [...this.#subscriptions].some(({ delivery }) => delivery.busy)
  }
}
