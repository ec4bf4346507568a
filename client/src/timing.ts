/** The times that the connection keeps, in milliseconds. */
export interface Timing {
  /** A hidden tab with nothing going on closes its stream after this. Default 30 s; `Infinity` keeps it open. */
  hiddenAfter: number
  /** A hidden tab that waits for an answer closes its stream after this. Default 5 min. */
  hiddenAfterBusy: number
  /** A stream without a byte for this long is broken off, as is a request without an answer. Default 45 s. */
  stalledAfter: number
  /** A tab that becomes visible opens its stream again if no byte came for this long. Default 20 s. */
  staleAfter: number
  /** A stream that stayed open for this long is taken for a healthy one, even if no event came. Default 5 s. */
  healthyAfter: number
  /** `live` turns to `reconnecting` when there is no stream for this long. Default 2 s. */
  quietFor: number
  /** The wait after the first failure; it doubles with each further one, and half of it is random. Default 0.5 s. */
  firstRetry: number
  /** The longest wait between two tries. Default 30 s. */
  longestRetry: number
  /** A `Retry-After` beyond this counts as this. Default 2 min. */
  longestRetryAfter: number
  /** A send that cannot get through is tried again for this long; 0 tries once. Default 60 s. */
  sendDeadline: number
  /**
   * A send in mode `session` without an answer, and of which the stream shows nothing, counts as lost after this,
   * and a second more for each 16 KiB. Default 30 s.
   */
  sendLostAfter: number
  /** The stream is opened again when it shows nothing of an accepted send for this long. Default 5 s. */
  deliveryAfter: number
  /** How long a snapshot may leave open whether a run that was seen to start is still running. Default 1 s. */
  settleAfter: number
  /** How long it may leave open whether an accepted run, of which nothing was seen, is still to start. Default 30 s. */
  settleUnseenAfter: number
  /** In the other modes, a broken generation that cannot be read on counts as lost after this. Default 2 min. */
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
  longestRetryAfter: 120_000,
  sendDeadline: 60_000,
  sendLostAfter: 30_000,
  deliveryAfter: 5_000,
  settleAfter: 1_000,
  settleUnseenAfter: 30_000,
  resumeDeadline: 120_000,
}

/** The wait before the next try, after `failures` in a row (1 or more): exponential, the upper half of it random. */
export function backoff(failures: number, timing: Timing, random: () => number = Math.random): number {
  const longest = Math.min(timing.longestRetry, timing.firstRetry * 2 ** Math.min(failures - 1, 30))
  return longest * (0.5 + 0.5 * random())
}

/** `Retry-After` in milliseconds from now: seconds, or an HTTP date. Undefined if it is neither. */
export function parseRetryAfter(value: string | null, now: number = Date.now()): number | undefined {
  if (value === null) return undefined
  const text = value.trim()
  if (/^\d+$/.test(text)) return Number(text) * 1000
  // Date.parse takes far more than HTTP dates, "-1" for example; those begin with the name of a day.
  if (!/^[A-Z][a-z]{2,8}, /.test(text)) return undefined
  const date = Date.parse(text)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

const LONGEST_TIMEOUT = 2 ** 31 - 1

/** `setTimeout` that takes any number of milliseconds, `Infinity` too; the function it returns clears it. */
export function after(ms: number, call: () => void): () => void {
  if (ms === Infinity) return () => {}
  const timer = setTimeout(call, Math.min(Math.max(0, ms), LONGEST_TIMEOUT))
  return () => clearTimeout(timer)
}

/** Waits; true if the time is over, false if the signal came first. Never rejects. */
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
