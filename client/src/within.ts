import { abortError, S2UnavailableError } from './errors.js'
import { link } from './signals.js'
import { after } from './timing.js'

/**
 * Make a request that must be answered within `ms`, or it fails with S2UnavailableError. `spared` may say, once the
 * time is over, that the answer does not matter any more: then the request goes on.
 *
 * The link to `signal` stays after success, for the body.
 */
export async function within<Answer>(
  what: string,
  ms: number,
  signal: AbortSignal | undefined,
  request: (signal: AbortSignal) => Promise<Answer>,
  spared: () => boolean = () => false,
): Promise<Answer> {
  const limited = new AbortController()
  const unlink = link(signal, limited)
  const clear = after(ms, () => {
    if (!spared()) limited.abort()
  })
  try {
    return await request(limited.signal)
  } catch (error) {
    unlink()
    if (signal?.aborted) throw abortError()
    if (limited.signal.aborted) throw new S2UnavailableError(`${what} got no answer in ${Math.round(ms)} ms.`)
    throw error
  } finally {
    clear()
  }
}
