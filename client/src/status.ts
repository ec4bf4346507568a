import { tell } from './signals.js'
import { after } from './timing.js'
import type { S2ConnectionState, S2ConnectionStatus } from './types.js'

type StateListener = (state: S2ConnectionState, reason?: Error) => void

/** The most noticeable state of several subscriptions is the connection's. */
const ORDER: readonly S2ConnectionState[] = ['reconnecting', 'connecting', 'live', 'paused']

/** The connection's status, made from those of its subscriptions. */
export class Status {
  readonly #onStateChange: StateListener | undefined
  readonly #watchers = new Set<() => void>()
  readonly #owners = new Map<object, S2ConnectionStatus>()
  #failed: S2ConnectionStatus | undefined
  #current: S2ConnectionStatus = { state: 'paused', reason: undefined, retryAt: undefined }

  constructor(onStateChange: StateListener | undefined) {
    this.#onStateChange = onStateChange
  }

  /** The same object until something changes. */
  get current(): S2ConnectionStatus {
    return this.#current
  }

  /** Call `watcher` after each change. The returned function ends that. */
  watch(watcher: () => void): () => void {
    // Two calls may pass the same function.
    const entry = () => watcher()
    this.#watchers.add(entry)
    return () => void this.#watchers.delete(entry)
  }

  /** Take over a subscription's new status. `failed` is its last one. */
  set(owner: object, status: S2ConnectionStatus): void {
    this.#failed = status.state === 'failed' ? status : undefined
    if (this.#failed) this.#owners.delete(owner)
    else this.#owners.set(owner, status)
    this.#update()
  }

  /** Forget a subscription that is over. */
  leave(owner: object): void {
    if (!this.#owners.delete(owner)) return
    this.#failed = undefined
    this.#update()
  }

  #update(): void {
    const before = this.#current
    const now = this.#combined()
    if (before.state === now.state && before.reason === now.reason && before.retryAt === now.retryAt) return
    this.#current = now
    if (before.state !== now.state) tell(() => this.#onStateChange?.(now.state, now.reason))
    for (const watcher of [...this.#watchers]) tell(watcher)
  }

  #combined(): S2ConnectionStatus {
    const all = [...this.#owners.values()]
    const state = ORDER.find((one) => all.some((status) => status.state === one))
    if (state === undefined) return this.#failed ?? { state: 'paused', reason: undefined, retryAt: undefined }
    const noticed = all.filter((status) => status.state === state)
    const times = noticed.map(({ retryAt }) => retryAt).filter((time) => time !== undefined)
    const reason = noticed.find((status) => status.reason !== undefined)?.reason
    return { state, reason, retryAt: times.length > 0 ? Math.min(...times) : undefined }
  }
}

/** The status of one subscription. It stays `live` over short breaks. */
export class Liveness {
  readonly #status: Status
  readonly #quietFor: number
  #state: S2ConnectionState | undefined
  #reason: Error | undefined
  #retryAt: number | undefined
  #clear: (() => void) | undefined

  constructor(status: Status, quietFor: number) {
    this.#status = status
    this.#quietFor = quietFor
  }

  /** A stream is asked for. */
  opening(): void {
    this.#retryAt = undefined
    if (this.#state === undefined || this.#state === 'paused') this.#to('connecting')
    else if (this.#state === 'reconnecting') this.#tell()
  }

  /** A stream is open. */
  live(): void {
    this.#to('live')
  }

  /**
   * There is no stream, and another one is asked for, at `retryAt` (ms since 1970) if not at once. The state says so if
   * that lasts.
   */
  lost(reason: Error | undefined, retryAt?: number): void {
    this.#reason = reason ?? this.#reason
    this.#retryAt = retryAt
    if (this.#state === 'reconnecting') this.#tell()
    else this.#clear ??= after(this.#quietFor, () => this.#reconnecting())
  }

  /** No stream is wanted for now. */
  paused(): void {
    this.#to('paused')
  }

  /** The subscription is refused. */
  failed(reason: Error): void {
    this.#to('failed', reason)
  }

  /** The subscription is over. */
  leave(): void {
    this.#clear?.()
    this.#status.leave(this)
  }

  #reconnecting(): void {
    this.#state = 'reconnecting'
    this.#tell()
  }

  #to(state: S2ConnectionState, reason?: Error): void {
    if (state !== 'connecting') {
      this.#clear?.()
      this.#clear = undefined
      this.#reason = reason
      this.#retryAt = undefined
    }
    this.#state = state
    this.#tell()
  }

  #tell(): void {
    const shown = this.#state === 'reconnecting' || this.#state === 'failed'
    const [reason, retryAt] = shown ? [this.#reason, this.#retryAt] : []
    this.#status.set(this, { state: this.#state ?? 'paused', reason, retryAt })
  }
}
