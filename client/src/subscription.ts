import { ClientTools } from './client-tools.js'
import type { Delivery } from './delivery.js'
import { S2StreamError, type S2Error } from './errors.js'
import { Intake, type End } from './intake.js'
import type { OwnRuns } from './own-runs.js'
import { longestRetry } from './presence.js'
import { asError, isTransient, type Requests } from './requests.js'
import { link } from './signals.js'
import { Liveness, type Status } from './status.js'
import { after, backoff, type Timing } from './timing.js'
import type { StreamChunk } from './types.js'

const BREATH = 100

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

/** One subscriber of a session: opens one response after the other, and hands each chunk to the consumer once. */
export class Subscription {
  readonly #around: Surroundings
  readonly #timing: Timing
  readonly #intake: Intake
  readonly #tools: ClientTools
  readonly #liveness: Liveness
  readonly #signal: AbortSignal

  #delivered: number | undefined
  #wasLive = false
  #isOpen = false
  #failures = 0
  #nothings = 0
  #heardAt = 0
  #response: AbortController | undefined
  #wake: ((urgent: boolean) => void) | undefined

  constructor(around: Surroundings, signal: AbortSignal) {
    this.#around = around
    this.#timing = around.timing
    this.#signal = signal
    this.#intake = new Intake(around.timing, around.own, (chunk) => around.came(chunk))
    this.#tools = new ClientTools(around.own)
    this.#liveness = new Liveness(around.status, around.timing.quietFor)
  }

  /** The runs that this subscriber has seen. */
  get delivery(): Delivery {
    return this.#intake.delivery
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
    this.#intake.accept(runId)
    this.wake(true)
  }

  /** Yield the chunks, until the signal comes. Throws the S2Error that makes another attempt useless. */
  async *chunks(): AsyncGenerator<StreamChunk, void, undefined> {
    const leave = () => {
      this.#intake.queue.close()
      this.#interrupt()
      this.#wake?.(true)
    }
    this.#signal.addEventListener('abort', leave)
    void this.#run()
    try {
      for await (const { chunk, cursor } of this.#intake.queue.read()) {
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
      this.#intake.queue.fail(error)
    }
  }

  /** Read one response, and wait after it. */
  async #once(): Promise<void> {
    let end: End | 'nothing'
    try {
      end = await this.#read()
    } catch (error) {
      const transient = isTransient(error) || (this.#wasLive && error instanceof S2StreamError && error.status === 200)
      if (!transient || this.#signal.aborted) throw error
      const asked = Math.min((error as S2Error).retryAfter ?? 0, this.#timing.longestRetryAfter)
      return this.#backOff(asError(error), asked)
    }
    if (end === 'nothing') return this.#emptyHanded()
    if (end.interrupted) return this.#liveness.lost(undefined)
    if (!end.progress) return this.#backOff(end.error)
    this.#failures = this.#nothings = 0
    this.#liveness.lost(end.error)
    if (end.error) await this.#wait(Math.random() * BREATH)
  }

  /** Wait before the next attempt, as long as the server `asked` or longer. */
  async #backOff(reason: Error | undefined, asked = 0): Promise<void> {
    const own = backoff(++this.#failures, this.#timing, longestRetry(this.#timing))
    const wait = Math.max(own, asked)
    this.#liveness.lost(reason, Date.now() + wait)
    await this.#wait(wait, asked > own)
  }

  /** 204: some servers answer so to a cursor when nothing runs, and follow the chat only without one. */
  async #emptyHanded(): Promise<void> {
    const hadCursor = this.#intake.cursor !== undefined
    this.#intake.forget()
    if (!hadCursor) await this.#intake.nothing()
    if (hadCursor && this.#nothings++ === 0) return
    await this.#wait(backoff(++this.#nothings, this.#timing))
  }

  async #read(): Promise<End | 'nothing'> {
    const response = (this.#response = new AbortController())
    const { signal } = response
    const unlink = link(this.#signal, response)
    const heard = () => {
      this.#heardAt = Date.now()
    }
    try {
      this.delivery.asked()
      heard()
      const body = await this.#around.requests.replay(this.#intake.cursor, signal)
      this.#wasLive = this.#isOpen = true
      this.#liveness.live()
      this.#around.opened()
      return body ? await this.#intake.read(body, signal, heard) : 'nothing'
    } catch (error) {
      if (signal.aborted) return { interrupted: true }
      throw error
    } finally {
      unlink()
      response.abort()
      this.#isOpen = false
      if (this.#response === response) this.#response = undefined
    }
  }

  #interrupt(): void {
    this.#response?.abort()
    this.#intake.notice()
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
