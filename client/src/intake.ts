import { Delivery, isInterrupt } from './delivery.js'
import { S2StreamError } from './errors.js'
import { readEvents, type ChunkEvent } from './events.js'
import type { OwnRuns } from './own-runs.js'
import { Queue } from './queue.js'
import { asError } from './requests.js'
import { after, type Timing } from './timing.js'
import type { StreamChunk } from './types.js'

const LONGEST_CHECK = 60_000

/** How one response ended. */
export interface End {
  /** New chunks came, or it was open for long. */
  progress?: boolean
  /** It was broken off from here: to pause, or to reopen it. */
  interrupted?: boolean
  error?: Error
}

/** Takes in the responses of one log: queues each chunk once, and ends the runs that are over. */
export class Intake {
  readonly delivery: Delivery
  readonly queue = new Queue()
  readonly #timing: Timing
  readonly #came: (chunk: StreamChunk) => void

  #cursor: number | undefined
  #behindSnapshot = false
  #notice: (() => void) | undefined
  #doubtSince = 0
  #checkAt = Infinity
  #checkAfter = 0

  /** `came` is called with each chunk before it is queued. */
  constructor(timing: Timing, own: OwnRuns, came: (chunk: StreamChunk) => void) {
    this.#timing = timing
    this.#came = came
    this.delivery = new Delivery(own)
  }

  /** The cursor after the last chunk that came. */
  get cursor(): number | undefined {
    return this.#cursor
  }

  /** Begin again with a snapshot. */
  forget(): void {
    this.#cursor = undefined
  }

  /** A send was accepted: the stream must show it soon. */
  accept(runId: string): void {
    this.delivery.accept(runId)
    this.#checkAfter = this.#timing.deliveryAfter
    this.#checkAt = Date.now() + this.#checkAfter
    this.notice()
  }

  /** Look again at what is due, and at the signal. */
  notice(): void {
    this.#notice?.()
  }

  /** The server has nothing to read: end what waits. */
  async nothing(): Promise<void> {
    await this.#pass(this.delivery.nothing(), undefined)
  }

  /** Read a response to its end. `heard` is called whenever bytes arrive. Throws S2StreamError for endless events. */
  async read(body: ReadableStream<Uint8Array>, signal: AbortSignal, heard: () => void): Promise<End> {
    const openedAt = Date.now()
    // What is due is due from this response, which has only begun.
    this.#checkAt = Math.max(this.#checkAt, openedAt + this.#timing.deliveryAfter)
    this.#doubtSince = openedAt
    let fresh = false
    const progress = () => fresh || Date.now() - openedAt >= this.#timing.healthyAfter
    const events = readEvents(body, this.#timing.stalledAfter, signal, heard)
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
          if (await this.#isOverdue()) break
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

  /** Queue chunks. The cursor counts with the last one; until then, the one `before` does. */
  async #pass(chunks: StreamChunk[], before: number | undefined): Promise<void> {
    for (const [index, chunk] of chunks.entries()) {
      this.#came(chunk)
      await this.queue.push({ chunk, cursor: index < chunks.length - 1 ? before : this.#cursor })
    }
    if (chunks.length === 0) await this.queue.push({ chunk: undefined, cursor: this.#cursor })
  }

  /** Return the next event; undefined when there is something to check before it comes. */
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

  /** Settle the doubt that is due. Return true if the stream must be reopened, because an accepted send is overdue. */
  async #isOverdue(): Promise<boolean> {
    const now = Date.now()
    if (now < this.#checkDue()) return false
    const { doubt, overdue } = this.delivery
    if (overdue && now >= this.#checkAt) {
      this.#checkAfter = Math.min(this.#checkAfter * 2, LONGEST_CHECK)
      this.#checkAt = now + this.#checkAfter
      return true
    }
    if (doubt) {
      const ends = this.delivery.settle(doubt)
      this.#doubtSince = now
      await this.#pass(ends, this.#cursor)
    }
    return false
  }
}
