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
