import { Delivery } from './delivery.js'
import { S2StreamError, type S2Error } from './errors.js'
import { readEvents, type ChunkEvent } from './events.js'
import { asError, isTransient, link, type Requests } from './requests.js'
import { Liveness, type Status } from './status.js'
import { after, backoff, type Timing } from './timing.js'
import type { StreamChunk } from './types.js'

const LONGEST_CHECK = 60_000
const BREATH = 100

/** How one response ended. */
interface End {
  /** New chunks came, or it was open for long. */
  progress?: boolean
  /** It was broken off from here: to pause, or to open it anew. */
  interrupted?: boolean
  /** There was nothing to read (204). */
  nothing?: boolean
  error?: Error
}

/** One subscriber of a session: reads the log from response to response, and passes on each chunk once. */
export class Subscription {
  readonly delivery = new Delivery()
  readonly #requests: Requests
  readonly #timing: Timing
  readonly #liveness: Liveness
  readonly #signal: AbortSignal | undefined
  readonly #isAway: () => boolean
  readonly #onChunk: (chunk: StreamChunk) => void

  #cursor: number | undefined
  #delivered: number | undefined
  #wasLive = false
  #failures = 0
  #nothings = 0
  #heardAt = 0
  #response: AbortController | undefined
  #wake: ((urgent: boolean) => void) | undefined
  #notice: (() => void) | undefined
  #doubtSince = 0
  #checkAt = Infinity
  #checkAfter = 0

  /** `isAway` tells whether the stream is to be closed for now; `onChunk` sees each chunk once it is consumed. */
  constructor(
    requests: Requests,
    timing: Timing,
    status: Status,
    signal: AbortSignal | undefined,
    isAway: () => boolean,
    onChunk: (chunk: StreamChunk) => void,
  ) {
    this.#requests = requests
    this.#timing = timing
    this.#liveness = new Liveness(status, timing.quietFor)
    this.#signal = signal
    this.#isAway = isAway
    this.#onChunk = onChunk
  }

  /** The cursor after the last chunk that the subscriber has consumed. */
  get delivered(): number | undefined {
    return this.#delivered
  }

  /** Try now, if this is waiting or paused. `urgent` cuts a wait short that the server asked for. */
  wake(urgent = false): void {
    this.#failures = 0
    this.#wake?.(urgent)
  }

  /** Close the stream; it is opened again after `wake`, once `isAway` does not hold any more. */
  pause(): void {
    this.#interrupt()
    this.#wake?.(true)
  }

  /** Open the stream anew if no byte came for `ms`. Nothing is lost or doubled by it. */
  refresh(ms = 0): void {
    if (this.#response && Date.now() - this.#heardAt >= ms) this.#interrupt()
    this.wake()
  }

  /** A send was accepted: the stream has to show it soon. */
  accept(runId: string): void {
    this.delivery.accept(runId)
    this.#checkAfter = this.#timing.deliveryAfter
    this.#checkAt = Date.now() + this.#checkAfter
    this.wake(true)
    this.#notice?.()
  }

  /** The chunks, until the signal comes. Throws the S2Error for which trying again is no use. */
  async *chunks(): AsyncGenerator<StreamChunk, void, undefined> {
    const aborted = () => {
      this.#interrupt()
      this.#wake?.(true)
    }
    this.#signal?.addEventListener('abort', aborted)
    try {
      while (!this.#signal?.aborted) {
        if (this.#isAway()) {
          this.#liveness.paused()
          await this.#wait(Infinity)
          continue
        }
        this.#liveness.opening()
        yield* this.#once()
      }
    } catch (error) {
      if (this.#signal?.aborted) return
      this.#liveness.failed(asError(error))
      throw error
    } finally {
      this.#signal?.removeEventListener('abort', aborted)
      this.#interrupt()
      this.#liveness.leave()
    }
  }

  /** One response, and the wait after it. */
  async *#once(): AsyncGenerator<StreamChunk, void, undefined> {
    let end: End
    try {
      end = yield* this.#read()
    } catch (error) {
      const transient = isTransient(error) || (this.#wasLive && error instanceof S2StreamError && error.status === 200)
      if (!transient || this.#signal?.aborted) throw error
      this.#liveness.lost(asError(error))
      const asked = Math.min((error as S2Error).retryAfter ?? 0, this.#timing.longestRetryAfter)
      const own = backoff(++this.#failures, this.#timing)
      await this.#wait(Math.max(own, asked), asked > own)
      return
    }
    if (end.nothing) {
      yield* this.#emptyHanded()
      return
    }
    this.#liveness.lost(end.error)
    if (end.interrupted) return
    if (end.progress) this.#failures = this.#nothings = 0
    else this.#failures++
    if (this.#failures > 0) await this.#wait(backoff(this.#failures, this.#timing))
    else if (end.error) await this.#wait(Math.random() * BREATH)
  }

  /** 204: some servers answer so to a cursor when nothing runs, and follow the chat only without one. */
  async *#emptyHanded(): AsyncGenerator<StreamChunk, void, undefined> {
    const hadCursor = this.#cursor !== undefined
    this.#cursor = undefined
    if (!hadCursor) yield* this.#pass(this.delivery.nothing())
    if (hadCursor && this.#nothings++ === 0) return
    await this.#wait(backoff(++this.#nothings, this.#timing))
  }

  async *#read(): AsyncGenerator<StreamChunk, End, undefined> {
    const response = (this.#response = new AbortController())
    const { signal } = response
    const unlink = link(this.#signal, response)
    try {
      this.delivery.asked()
      this.#heardAt = Date.now()
      let body: ReadableStream<Uint8Array> | undefined
      try {
        body = await this.#requests.replay(this.#cursor, signal)
      } catch (error) {
        if (signal.aborted) return { interrupted: true }
        throw error
      }
      this.#wasLive = true
      this.#liveness.live()
      if (!body) return { nothing: true }
      return yield* this.#events(body, signal)
    } finally {
      unlink()
      response.abort()
      if (this.#response === response) this.#response = undefined
    }
  }

  async *#events(
    body: ReadableStream<Uint8Array>,
    signal: AbortSignal,
  ): AsyncGenerator<StreamChunk, End, undefined> {
    const openedAt = Date.now()
    // What is due is due from this response, which has only begun.
    this.#checkAt = Math.max(this.#checkAt, openedAt + this.#timing.deliveryAfter)
    this.#doubtSince = openedAt
    let fresh = false
    const progress = () => fresh || Date.now() - openedAt >= this.#timing.healthyAfter
    const events = readEvents(body, this.#timing.stalledAfter, () => {
      this.#heardAt = Date.now()
    })
    try {
      let next = events.next()
      while (!signal.aborted) {
        const result = await this.#noticed(next)
        if (signal.aborted) break
        if (!result) {
          yield* this.#check()
          continue
        }
        if (result.done) return { progress: progress() }
        const chunks = this.#take(result.value)
        fresh ||= chunks.some(({ type }) => type !== 'MESSAGES_SNAPSHOT')
        yield* this.#pass(chunks)
        this.#delivered = this.#cursor
        // The rejection of a read after the abort would be nobody's.
        if (signal.aborted) break
        next = events.next()
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

  /** What to pass on of an event: nothing if it was there before. A snapshot counts whatever its cursor. */
  #take({ cursor, chunk }: ChunkEvent): StreamChunk[] {
    if (chunk?.type === 'MESSAGES_SNAPSHOT') this.#cursor = cursor
    else if (cursor !== undefined) {
      if (this.#cursor !== undefined && cursor <= this.#cursor) return []
      this.#cursor = cursor
    }
    if (!chunk) return []
    const before = this.delivery.doubt
    const chunks = this.delivery.feed(chunk)
    if (this.delivery.doubt !== before) this.#doubtSince = Date.now()
    return chunks
  }

  *#pass(chunks: StreamChunk[]): Generator<StreamChunk, void, undefined> {
    for (const chunk of chunks) {
      yield chunk
      this.#onChunk(chunk)
    }
  }

  /** The next event; undefined when there is something to check before it comes, or to stop for. */
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

  *#check(): Generator<StreamChunk, void, undefined> {
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
      yield* this.#pass(chunks)
    }
  }

  #interrupt(): void {
    this.#response?.abort()
    this.#notice?.()
  }

  /** Waits; less if it is woken. A `firm` wait yields only to what is urgent. */
  #wait(ms: number, firm = false): Promise<void> {
    return new Promise((resolve) => {
      if (this.#signal?.aborted) return resolve()
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
