import { abortError, S2Error, S2StreamError } from './errors.js'
import { readEvents, type ChunkEvent } from './events.js'
import { pauseBeforeReadingOn } from './pauses.js'
import { asError, isTransient, type Requests } from './requests.js'
import { discard, streamOf } from './responses.js'
import { link } from './signals.js'
import type { Timing, Waits } from './timing.js'

/** What reading an answer needs, and what it tells. */
export interface GenerationOptions {
  readonly requests: Requests
  readonly timing: Timing
  readonly waits: Waits
  /** The response to the send, if there is one. */
  readonly response: Response | undefined
  /** Where to begin without a response. */
  readonly cursor: number | undefined
  /** Whether `subscribeUrl` can be read after a break. */
  readonly resumable: boolean
  readonly signal: AbortSignal
  live(): void
  broken(reason: Error, retryAt: number): void
}

/**
 * Yield the events of one answer, in the modes other than `session`.
 *
 * They come from the response, if it streams, and after a break, or if it does not, from `subscribeUrl`. Throws
 * S2StreamError after a break without that URL, and if the answer ended while it could not be read; the last failure if
 * nothing comes for `resumeDeadline`; AbortError when the signal comes.
 */
export async function* readGeneration(options: GenerationOptions): AsyncGenerator<ChunkEvent, void, undefined> {
  const { requests, timing, waits, response, resumable, signal } = options
  let { cursor } = options
  let body = response && isStream(response) ? streamOf(response, 'The send') : undefined
  let terminal = false
  let failures = 0
  let deadline = Date.now() + timing.resumeDeadline
  for (;;) {
    let broken: Error | undefined
    const request = new AbortController()
    const unlink = link(signal, request)
    try {
      body ??= await requests.replay(cursor, request.signal, Math.min(timing.stalledAfter, deadline - Date.now()))
      if (!body) {
        if (terminal || (cursor === undefined && !response)) return
        throw new S2StreamError('The answer ended before all of it was read, and cannot be read any more.')
      }
      options.live()
      // The app may have left in its listener.
      if (signal.aborted) throw abortError()
      for await (const event of readEvents(body, timing.stalledAfter, request.signal)) {
        if (signal.aborted) throw abortError()
        if (event.cursor !== undefined) {
          if (cursor !== undefined && event.cursor <= cursor) continue
          cursor = event.cursor
        }
        failures = 0
        deadline = Date.now() + timing.resumeDeadline
        const type: string | undefined = event.chunk?.type
        terminal ||= type === 'RUN_FINISHED' || type === 'RUN_ERROR'
        yield event
      }
      if (terminal || !resumable) return
      broken = new S2StreamError('The answer was broken off.')
    } catch (error) {
      if (signal.aborted) throw abortError()
      if (error instanceof S2Error && !isTransient(error)) throw error
      broken = asError(error)
    } finally {
      unlink()
      request.abort()
      if (body && !body.locked) body.cancel().catch(() => {})
      body = undefined
    }
    if (terminal) return
    if (!resumable) {
      throw new S2StreamError(`The answer broke off, and there is no subscribeUrl to read on: ${broken.message}`, {
        cause: broken,
      })
    }
    const wait = pauseBeforeReadingOn(broken, failures, timing)
    failures++
    if (Date.now() + wait >= deadline) throw broken
    options.broken(broken, Date.now() + wait)
    await waits.sleep(wait, signal)
    if (signal.aborted) throw abortError()
    // A machine that slept may be late.
    if (Date.now() >= deadline) throw broken
  }
}

function isStream(response: Response): boolean {
  if (response.status !== 202 && response.status !== 204) return true
  discard(response)
  return false
}
