import { S2Error } from './errors.js'
import { longestRetry } from './presence.js'
import { backoff, type Timing } from './timing.js'

/**
 * The pause, in milliseconds, before a broken answer is read on: at once after the first failure, then with a backoff,
 * and never shorter than the server asked for (`Retry-After`).
 */
export function pauseBeforeReadingOn(broken: Error, failures: number, timing: Timing): number {
  const asked = Math.min((broken instanceof S2Error && broken.retryAfter) || 0, timing.longestRetryAfter)
  const own = failures === 0 ? Math.random() * 100 : backoff(failures, timing, longestRetry(timing))
  return Math.max(own, asked)
}
