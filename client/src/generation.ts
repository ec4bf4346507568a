import { abortError, S2Error, S2StreamError } from './errors.js'
import { readEvents, type ChunkEvent } from './events.js'
import { asError, isTransient, link, streamOf, type Requests } from './requests.js'
import { backoff, sleep, type Timing } from './timing.js'

/** What happens while a generation is read. */
export interface GenerationHandlers {
  live(): void
  broken(reason: Error): void
}

/**
 * The events of one generation, in the modes other than `session`.
 *
 * They come from `response`, if it streams, and after a break, or if it does not, from `subscribeUrl`. Without that
 * URL a break is an S2StreamError, as is a generation that ended while it could not be read. `cursor` is where to
 * begin without a response. Ends with AbortError when the signal comes.
 */
export async function* readGeneration(
  requests: Requests,
  timing: Timing,
  response: Response | undefined,
  cursor: number | undefined,
  resumable: boolean,
  signal: AbortSignal,
  handlers: GenerationHandlers,
): AsyncGenerator<ChunkEvent, void, undefined> {
  let body = response && isStream(response) ? streamOf(response, 'The send') : undefined
  let terminal = false
  let failures = 0
  let lastProgress = Date.now()
  for (;;) {
    let broken: Error | undefined
    const request = new AbortController()
    const unlink = link(signal, request)
    try {
      body ??= await requests.replay(cursor, request.signal)
      if (!body) {
        if (terminal || (cursor === undefined && !response)) return
        throw new S2StreamError('The answer ended before all of it was read, and cannot be read any more.')
      }
      handlers.live()
      for await (const event of readEvents(body, timing.stalledAfter)) {
        if (signal.aborted) throw abortError()
        if (event.cursor !== undefined) {
          if (cursor !== undefined && event.cursor <= cursor) continue
          cursor = event.cursor
        }
        failures = 0
        lastProgress = Date.now()
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
      body = undefined
    }
    if (terminal) return
    if (!resumable) {
      throw new S2StreamError(`The answer broke off, and there is no subscribeUrl to read on: ${broken.message}`, {
        cause: broken,
      })
    }
    if (Date.now() - lastProgress > timing.resumeDeadline) throw broken
    handlers.broken(broken)
    const asked = Math.min((broken as S2Error).retryAfter ?? 0, timing.longestRetryAfter)
    const own = failures === 0 ? Math.random() * 100 : backoff(failures, timing)
    failures++
    await sleep(Math.max(own, asked), signal)
    if (signal.aborted) throw abortError()
  }
}

function isStream(response: Response): boolean {
  return response.status !== 202 && response.status !== 204
}
