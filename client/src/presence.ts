import { after, type Timing } from './timing.js'

/** What the user's presence asks of the streams. */
export interface PresenceHandlers {
  /** The tab has been hidden for long: close the stream. */
  away(): void
  /** The tab became visible: reopen the stream if it is closed or stale. */
  back(): void
  /** The network is back: streams from before are dead. */
  online(): void
}

type Page = EventTarget & { visibilityState?: string }

/** Watches whether the tab is visible and the network there. Outside browsers, nothing is ever hidden. */
export class Presence {
  readonly #timing: Timing
  readonly #handlers: PresenceHandlers
  #watching = false
  #page: Page | undefined
  #network: EventTarget | undefined
  #away = false
  #busy = false
  #hiddenSince: number | undefined
  #idleSince = 0
  #clear = () => {}

  constructor(timing: Timing, handlers: PresenceHandlers) {
    this.#timing = timing
    this.#handlers = handlers
  }

  /** Whether the tab has been hidden for so long that its stream is closed. */
  get away(): boolean {
    return this.#away
  }

  /** Start to watch the page and the network. */
  watch(): void {
    if (this.#watching) return
    this.#watching = true
    this.#away = false
    this.#hiddenSince = undefined
    this.#page = page()
    this.#network = network()
    this.#page?.addEventListener('visibilitychange', this.#look)
    this.#network?.addEventListener('online', this.#online)
    this.#look()
  }

  /** Stop watching. */
  leave(): void {
    if (!this.#watching) return
    this.#watching = false
    this.#page?.removeEventListener('visibilitychange', this.#look)
    this.#network?.removeEventListener('online', this.#online)
    this.#clear()
  }

  /** Whether an answer is being waited for. Its end counts as somebody being here. */
  set busy(busy: boolean) {
    if (this.#busy && !busy) this.#idleSince = Date.now()
    this.#busy = busy
    this.#arm()
  }

  /** Something is sent: the stream is needed, visible or not. */
  need(): void {
    if (this.#hiddenSince !== undefined) this.#hiddenSince = Date.now()
    this.#away = false
    this.#arm()
  }

  readonly #look = (): void => {
    if (this.#page?.visibilityState === 'hidden') {
      this.#hiddenSince ??= Date.now()
      this.#arm()
      return
    }
    this.#clear()
    this.#hiddenSince = undefined
    this.#away = false
    this.#handlers.back()
  }

  readonly #online = (): void => this.#handlers.online()

  #arm(): void {
    this.#clear()
    if (!this.#watching || this.#hiddenSince === undefined || this.#away) return
    const { hiddenAfter, hiddenAfterBusy } = this.#timing
    const until = this.#busy
      ? this.#hiddenSince + hiddenAfterBusy
      : Math.max(this.#hiddenSince, this.#idleSince) + hiddenAfter
    this.#clear = after(until - Date.now(), () => {
      this.#away = true
      this.#handlers.away()
    })
  }
}

/** Return the longest wait between two attempts, in milliseconds: short while somebody may be looking. */
export function longestRetry({ longestRetry: longest, longestRetryVisible }: Timing): number {
  return page()?.visibilityState === 'hidden' ? longest : Math.min(longest, longestRetryVisible)
}

function page(): Page | undefined {
  const { document } = globalThis as { document?: unknown }
  return isTarget(document) ? document : undefined
}

function network(): EventTarget | undefined {
  const { window } = globalThis as { window?: unknown }
  return isTarget(window) ? window : undefined
}

/** React Native has a `window` that is not an event target. */
function isTarget(value: unknown): value is EventTarget {
  return typeof (value as EventTarget | undefined)?.addEventListener === 'function'
}
