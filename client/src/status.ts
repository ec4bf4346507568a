import { after } from './timing.js'
import type { S2ConnectionState } from './types.js'

type Listener = (state: S2ConnectionState, reason?: Error) => void

/** The most noticeable state of several subscriptions is the connection's. */
const ORDER: readonly S2ConnectionState[] = ['reconnecting', 'connecting', 'live', 'paused']

/** The connection's state, made from those of its subscriptions. */
export class Status {
  readonly #listener: Listener | undefined
  readonly #states = new Map<object, S2ConnectionState>()
  #state: S2ConnectionState = 'paused'
  #failed = false

  constructor(listener: Listener | undefined) {
    this.#listener = listener
  }

  get state(): S2ConnectionState {
    return this.#state
  }

  /** A subscription changed its state. `failed` is its last one. */
  set(owner: object, state: S2ConnectionState, reason?: Error): void {
    this.#failed = state === 'failed'
    if (state === 'failed') this.#states.delete(owner)
    else this.#states.set(owner, state)
    this.#tell(reason)
  }

  /** A subscription is over. */
  leave(owner: object): void {
    if (!this.#states.delete(owner)) return
    this.#failed = false
    this.#tell()
  }

  #tell(reason?: Error): void {
    const states = new Set(this.#states.values())
    const state = ORDER.find((one) => states.has(one)) ?? (this.#failed ? 'failed' : 'paused')
    if (state === this.#state) return
    this.#state = state
    try {
      this.#listener?.(state, reason)
    } catch (error) {
      // The app's mistake is the app's to see, and must not end the stream.
      queueMicrotask(() => {
        throw error
      })
    }
  }
}

/** The state of one subscription. It stays `live` over breaks that are short. */
export class Liveness {
  readonly #status: Status
  readonly #quietFor: number
  #state: S2ConnectionState | undefined
  #reason: Error | undefined
  #clear: (() => void) | undefined

  constructor(status: Status, quietFor: number) {
    this.#status = status
    this.#quietFor = quietFor
  }

  /** A stream is to be opened, after none was wanted. */
  opening(): void {
    if (this.#state === undefined || this.#state === 'paused') this.#to('connecting')
  }

  /** A stream is open. */
  live(): void {
    this.#to('live')
  }

  /** There is no stream, and another one is to be opened: the state says so if that lasts. */
  lost(reason: Error | undefined): void {
    this.#reason = reason ?? this.#reason
    if (this.#state === 'reconnecting') return
    this.#clear ??= after(this.#quietFor, () => this.#to('reconnecting', this.#reason))
  }

  /** No stream is wanted for now. */
  paused(): void {
    this.#to('paused')
  }

  failed(reason: Error): void {
    this.#to('failed', reason)
  }

  /** The subscription is over. */
  leave(): void {
    this.#clear?.()
    this.#status.leave(this)
  }

  #to(state: S2ConnectionState, reason?: Error): void {
    if (state !== 'connecting') {
      this.#clear?.()
      this.#clear = undefined
      this.#reason = undefined
    }
    this.#state = state
    this.#status.set(this, state, reason)
  }
}
