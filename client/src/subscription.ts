import { ClientTools } from './client-tools.js'
import { Delivery, isInterrupt } from './delivery.js'
import { S2StreamError, type S2Error } from './errors.js'
import { readEvents, type ChunkEvent } from './events.js'
import type { OwnRuns } from './own-runs.js'
import { longestRetry } from './presence.js'
import { Queue } from './queue.js'
import { asError, isTransient, type Requests } from './requests.js'
import { link } from './signals.js'
import { Liveness, type Status } from './status.js'
import { after, backoff, type Timing } from './timing.js'
import type { StreamChunk } from './types.js'

const LONGEST_CHECK = 60_000
const BREATH = 100

/** How one response ended. */
interface End {
  /** New chunks came, or it was open for long. */
  progress?: boolean
  /** It was broken off from here: to pause, or to reopen it. */
  interrupted?: boolean
  /** There was nothing to read (204). */
  nothing?: boolean
  error?: Error
}

/** What a subscription shares with the others of its connection. */
export interface Surroundings {
  readonly requests: Requests
  readonly timing: Timing
  readonly status: Status
  readonly own: OwnRuns
  /** Return whether the stream is to be closed for now. */
  isAway(): boolean
  /** A stream is open. */
  opened(): void
  /** A chunk came, and waits for the consumer. */
  came(chunk: StreamChunk): void
  /** The consumer is done with a chunk. */
  consumed(chunk: StreamChunk): void
}

/** One subscriber of a session: reads the log from response to response, and passes on each chunk once. */
export class Subscription {
  readonly delivery: Delivery
  readonly #around: Surroundings
  readonly #timing: Timing
  readonly #liveness: Liveness
  readonly #tools: ClientTools
  readonly #signal: AbortSignal
  readonly #queue = new Queue()

  /** The cursor after the last chunk that was read. */
  #cursor: number | undefined
  #behindSnapshot = false
  /** The cursor after the last chunk that the consumer was handed. */
  #delivered: number | undefined
  #wasLive = false
  #failures = 0
  #nothings = 0
  #heardAt = 0
  #response: AbortController | undefined
  #isOpen = false
  #wake: ((urgent: boolean) => void) | undefined
  #notice: (() => void) | undefined
  #doubtSince = 0
  #checkAt = Infinity
  #checkAfter = 0

  constructor(around: Surroundings, signal: AbortSignal) {
    this.#around = around
    this.#timing = around.timing
    this.#signal = signal
    this.#liveness = new Liveness(around.status, around.timing.quietFor)
    this.#tools = new ClientTools(around.own)
    this.delivery = new Delivery(around.own)
  }

  /** The cursor after the last chunk that the consumer was handed. */
  get delivered(): number | undefined {
    return this.#delivered
  }

  /** Try now, if this is waiting or paused. `urgent` also ends a wait that the server asked for. */
  wake(urgent = false): void {
    this.#failures = 0
    this.#wake?.(urgent)
  }

  /** Try now; an attempt that still waits for its answer is dropped. A stream that is open stays. */
  retry(): void {
    if (!this.#isOpen) this.#interrupt()
    this.wake(true)
  }

  /** Close the stream. It is reopened after `wake`, once `isAway` does not hold any more. */
  pause(): void {
    this.#interrupt()
    this.#wake?.(true)
  }

  /** Reopen the stream if no byte came for `ms`. Nothing is lost or doubled by it. */
  refresh(ms = 0): void {
    if (this.#response && Date.now() - this.#heardAt >= ms) this.#interrupt()
    this.wake()
  }

  /** A send was accepted: the stream must show it soon. */
  accept(runId: string): void {
    this.delivery.accept(runId)
    this.#checkAfter = this.#timing.deliveryAfter
    this.#checkAt = Date.now() + this.#checkAfter
    this.wake(true)
    this.#notice?.()
  }

  /** Yield the chunks, until the signal comes. Throws the S2Error that makes another attempt useless. */
  async *chunks(): AsyncGenerator<StreamChunk, void, undefined> {
    const leave = () => {
      this.#queue.close()
      this.#interrupt()
      this.#wake?.(true)
    }
    this.#signal.addEventListener('abort', leave)
    void this.#run()
    try {
      for await (const { chunk, cursor } of this.#queue.read()) {
        // The consumer may send as soon as it has the chunk, and has seen it then.
        this.#delivered = cursor
        const passed = chunk && this.#tools.pass(chunk)
        if (passed) {
          yield passed
          this.#around.consumed(passed)
        }
      }
    } finally {
      this.#signal.removeEventListener('abort', leave)
      leave()
      this.#liveness.leave()
    }
  }

  /** Read response after response into the queue. Never rejects. */
  async #run(): Promise<void> {
    try {
      while (!this.#signal.aborted) {
        if (this.#around.isAway()) {
          this.#liveness.paused()
          await this.#wait(Infinity)
          continue
        }
        this.#liveness.opening()
        await this.#once()
      }
    } catch (error) {
      if (this.#signal.aborted) return
      this.#liveness.failed(asError(error))
      this.#queue.fail(error)
    }
  }

  /** Read one response, and wait after it. */
  async #once(): Promise<void> {
    let end: End
    try {
      end = await this.#read()
    } catch (error) {
      const transient = isTransient(error) || (this.#wasLive && error instanceof S2StreamError && error.status === 200)
      if (!transient || this.#signal.aborted) throw error
      const asked = Math.min((error as S2Error).retryAfter ?? 0, this.#timing.longestRetryAfter)
      await this.#backOff(asError(error), asked)
      return
    }
    if (end.nothing) return this.#emptyHanded()
    if (end.interrupted) return this.#liveness.lost(undefined)
    if (!end.progress) return this.#backOff(end.error)
    this.#failures = this.#nothings = 0
    this.#liveness.lost(end.error)
    if (end.error) await this.#wait(Math.random() * BREATH)
  }

  async #backOff(reason: Error | undefined, asked = 0): Promise<void> {
    const own = backoff(++this.#failures, this.#timing, longestRetry(this.#timing))
    const wait = Math.max(own, asked)
    this.#liveness.lost(reason, Date.now() + wait)
    await this.#wait(wait, asked > own)
  }

  /** 204: some servers answer so to a cursor when nothing runs, and follow the chat only without one. */
  async #emptyHanded(): Promise<void> {
    const hadCursor = this.#cursor !== undefined
    this.#cursor = undefined
    if (!hadCursor) await this.#pass(this.delivery.nothing())
    if (hadCursor && this.#nothings++ === 0) return
    await this.#wait(backoff(++this.#nothings, this.#timing))
  }

  async #read(): Promise<End> {
    const response = (this.#response = new AbortController())
    const { signal } = response
    const unlink = link(this.#signal, response)
    try {
      this.delivery.asked()
      this.#heardAt = Date.now()
      let body: ReadableStream<Uint8Array> | undefined
      try {
        body = await this.#around.requests.replay(this.#cursor, signal)
      } catch (error) {
        if (signal.aborted) return { interrupted: true }
        throw error
      }
      this.#wasLive = this.#isOpen = true
      this.#liveness.live()
      this.#around.opened()
      if (!body) return { nothing: true }
      return await this.#events(body, signal)
    } finally {
      unlink()
      response.abort()
      this.#isOpen = false
      if (this.#response === response) this.#response = undefined
    }
  }

  async #events(body: ReadableStream<Uint8Array>, signal: AbortSignal): Promise<End> {
    const openedAt = Date.now()
    // What is due is due from this response, which has only begun.
    this.#checkAt = Math.max(this.#checkAt, openedAt + this.#timing.deliveryAfter)
    this.#doubtSince = openedAt
    let fresh = false
    const progress = () => fresh || Date.now() - openedAt >= this.#timing.healthyAfter
    const events = readEvents(body, this.#timing.stalledAfter, signal, () => {
      this.#heardAt = Date.now()
    })
    const following = () => {
      const next = events.next()
      // Nobody may wait for it any more once the signal comes.
      next.catch(() => {})
      return next
    }
    try {
      let next = following()
      while (!signal.aborted) {
        const result = await this.#noticed(next)
        if (signal.aborted) break
        if (!result) {
          await this.#check()
          continue
        }
        if (result.done) return { progress: progress() }
        const before = this.#cursor
        const chunks = this.#take(result.value)
        fresh ||= chunks.some(({ type }) => type !== 'MESSAGES_SNAPSHOT')
        await this.#pass(chunks, before)
        next = following()
      }
      return { interrupted: true }
    } catch (error) {
      if (signal.aborted) return { interrupted: true }
      if (error instanceof S2StreamError) throw error
      return { progress: progress(), error: asError(error) }
    } finally {
      events.return().catch(() => {})
    }
  }

  /** Return what to pass on of an event: nothing if it was there before. A snapshot counts whatever its cursor. */
  #take({ cursor, chunk }: ChunkEvent): StreamChunk[] {
    const pending = this.#behindSnapshot && chunk !== undefined && isInterrupt(chunk)
    this.#behindSnapshot = chunk?.type === 'MESSAGES_SNAPSHOT'
    if (this.#behindSnapshot) this.#cursor = cursor
    else if (cursor !== undefined) {
      // A pending interrupt is part of the snapshot before it, and may have its id.
      const known = this.#cursor !== undefined && cursor <= this.#cursor
      if (known && !(pending && cursor === this.#cursor)) return []
      this.#cursor = cursor
    }
    if (!chunk) return []
    const before = this.delivery.doubt
    const chunks = this.delivery.feed(chunk)
    if (this.delivery.doubt !== before) this.#doubtSince = Date.now()
    return chunks
  }

  /** Hand chunks to the consumer. The cursor counts with the last one; until then, the one `before` does. */
  async #pass(chunks: StreamChunk[], before?: number): Promise<void> {
    for (const [index, chunk] of chunks.entries()) {
      this.#around.came(chunk)
      await this.#queue.push({ chunk, cursor: index < chunks.length - 1 ? before : this.#cursor })
    }
    if (chunks.length === 0) await this.#queue.push({ chunk: undefined, cursor: this.#cursor })
  }

  /** Return the next event; undefined when there is something to check before it comes, or to stop for. */
  #noticed<Result>(next: Promise<Result>): Promise<Result | undefined> {
    return new Promise((resolve, reject) => {
      const clear = after(this.#checkDue() - Date.now(), () => resolve(undefined))
      this.#notice = () => resolve(undefined)
      next.then(resolve, reject).finally(clear)
    }).finally(() => {
      this.#notice = undefined
    }) as Promise<Result | undefined>
  }

  #checkDue(): number {
    const { settleAfter, settleUnseenAfter } = this.#timing
    const { doubt, overdue } = this.delivery
    const settleAt = doubt ? this.#doubtSince + (doubt === 'shown' ? settleAfter : settleUnseenAfter) : Infinity
    return Math.min(settleAt, overdue ? this.#checkAt : Infinity)
  }

  async #check(): Promise<void> {
    const now = Date.now()
    if (now < this.#checkDue()) return
    const { doubt, overdue } = this.delivery
    if (overdue && now >= this.#checkAt) {
      this.#checkAfter = Math.min(this.#checkAfter * 2, LONGEST_CHECK)
      this.#checkAt = now + this.#checkAfter
      this.#interrupt()
    } else if (doubt) {
      const chunks = this.delivery.settle(doubt)
      this.#doubtSince = now
      await this.#pass(chunks)
    }
  }

  #interrupt(): void {
    this.#response?.abort()
    this.#notice?.()
  }

  /** Wait; less if this is woken. A `firm` wait yields only to what is urgent. */
  #wait(ms: number, firm = false): Promise<void> {
    return new Promise((resolve) => {
      if (this.#signal.aborted) return resolve()
      const done = () => {
        clear()
        this.#wake = undefined
        resolve()
      }
      const clear = after(ms, done)
      this.#wake = (urgent) => {
        if (urgent || !firm) done()
      }
    })
  }
}
