/** The connection's times, in milliseconds. */
export interface Timing {
  /** A hidden tab that waits for nothing closes its stream after this time. Default 30 s; `Infinity` keeps it open. */
  hiddenAfter: number
  /** A hidden tab that waits for an answer closes its stream after this time. Default 5 min. */
  hiddenAfterBusy: number
  /** The longest silence: of an open stream, and of a request that has no deadline of its own. Default 45 s. */
  stalledAfter: number
  /** A tab that becomes visible reopens a stream that was silent for this long. Default 20 s. */
  staleAfter: number
  /** A stream that was open for this long counts as healthy, even if it brought no event. Default 5 s. */
  healthyAfter: number
  /** `live` turns into `reconnecting` after this time without a stream. Default 2 s. */
  quietFor: number
  /** The wait after the first failure. It doubles with each further one, and half of it is random. Default 0.5 s. */
  firstRetry: number
  /** The longest wait between two attempts. Default 30 s. */
  longestRetry: number
  /** The longest wait between two attempts while the tab is visible. Default 1.5 s. */
  longestRetryVisible: number
  /** A longer `Retry-After` counts as this. Default 2 min. */
  longestRetryAfter: number
  /**
   * A send or stop fails after this time, whether the server refuses or stays silent. A send gets a further second for
   * each 16 KiB. Default 60 s. With 0 it is attempted once, which `stalledAfter` limits.
   */
  sendDeadline: number
  /**
   * A stop without an answer is repeated after this time, as is a send in mode `session` that the stream shows nothing
   * of. A send gets a further second for each 16 KiB. Default 30 s.
   */
  sendLostAfter: number
  /** The stream is reopened if it shows nothing of an accepted send for this long. Default 5 s. */
  deliveryAfter: number
  /** How long a snapshot may leave open whether a run that was seen to start goes on. Default 1 s. */
  settleAfter: number
  /** How long a snapshot may leave open whether an accepted run that was not seen is still to start. Default 30 s. */
  settleUnseenAfter: number
  /** In the other modes, an answer that breaks off fails after this time without progress. Default 2 min. */
  resumeDeadline: number
}

export const DEFAULT_TIMING: Readonly<Timing> = {
  hiddenAfter: 30_000,
  hiddenAfterBusy: 300_000,
  stalledAfter: 45_000,
  staleAfter: 20_000,
  healthyAfter: 5_000,
  quietFor: 2_000,
  firstRetry: 500,
  longestRetry: 30_000,
  longestRetryVisible: 1_500,
  longestRetryAfter: 120_000,
  sendDeadline: 60_000,
  sendLostAfter: 30_000,
  deliveryAfter: 5_000,
  settleAfter: 1_000,
  settleUnseenAfter: 30_000,
  resumeDeadline: 120_000,
}

/** Return the wait after `failures` in a row (1 or more): exponential up to `longest`, its upper half random. */
export function backoff(
  failures: number,
  timing: Timing,
  longest: number = timing.longestRetry,
  random: () => number = Math.random,
): number {
  const wait = Math.min(longest, timing.firstRetry * 2 ** Math.min(failures - 1, 30))
  return wait * (0.5 + 0.5 * random())
}

/** Parse `Retry-After`, seconds or an HTTP date, into milliseconds from now. Return undefined for anything else. */
export function parseRetryAfter(value: string | null, now: number = Date.now()): number | undefined {
  if (value === null) return undefined
  const text = value.trim()
  if (/^\d+$/.test(text)) return Number(text) * 1000
  // Date.parse accepts far more than HTTP dates, "-1" for example. HTTP dates begin with the name of a day.
  if (!/^[A-Z][a-z]{2,8}, /.test(text)) return undefined
  const date = Date.parse(text)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

const LONGEST_TIMEOUT = 2 ** 31 - 1

/** Call `call` after `ms`, which may be any number, `Infinity` too. The returned function cancels that. */
export function after(ms: number, call: () => void): () => void {
  if (ms === Infinity) return () => {}
  const timer = setTimeout(call, Math.min(Math.max(0, ms), LONGEST_TIMEOUT))
  return () => clearTimeout(timer)
}

/** Wait. Resolves to true when the time is over and to false if the signal came first; never rejects. */
export function sleep(ms: number, signal?: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve(false)
    const done = (over: boolean) => {
      clear()
      signal?.removeEventListener('abort', aborted)
      resolve(over)
    }
    const aborted = () => done(false)
    const clear = after(ms, () => done(true))
    signal?.addEventListener('abort', aborted)
  })
}

/** Waits before further attempts, which the network, the server or the user may cut short. */
export class Waits {
  readonly #ends = new Set<() => void>()

  /** Wait `ms`; less if `end` is called or the signal comes. Never rejects. */
  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const early = new AbortController()
    const end = () => early.abort()
    this.#ends.add(end)
    signal?.addEventListener('abort', end)
    if (!signal?.aborted) await sleep(ms, early.signal)
    signal?.removeEventListener('abort', end)
    this.#ends.delete(end)
  }

  /** End all waits now. */
  end(): void {
    for (const end of [...this.#ends]) end()
  }
}
