import { abortError, S2Error, S2StreamError } from '../errors.js'
import { readEvents } from '../events.js'
import { pauseBeforeReadingOn } from '../pauses.js'
import { asError, isTransient } from '../requests.js'
import { link } from '../signals.js'
import type { Timing, Waits } from '../timing.js'
import type { UIMessageChunk } from './types.js'

type Body = ReadableStream<Uint8Array>

/** What reading an answer needs, and what it tells. */
export interface AnswerOptions {
  readonly timing: Timing
  readonly waits: Waits
  /** The response that began the answer. */
  readonly body: Body
  /** Ask for the answer from its beginning: the same one, which the server must not run twice. */
  again(signal: AbortSignal, patience: number): Promise<Body | undefined>
  /** Ask for what comes after the cursor. */
  after(cursor: number, signal: AbortSignal, patience: number): Promise<Body | undefined>
  readonly signal: AbortSignal
  live(): void
  broken(reason: Error, retryAt: number): void
  /** The consumer was handed everything up to here. */
  passed(cursor: number): void
}

const ENDS = new Set(['finish', 'abort', 'error'])

/**
 * Yield the chunks of one answer, each once, from as many responses as it takes.
 *
 * Chunks without an id belong to the next one that has one, so they wait for it: after a break, all of them come again.
 * Throws S2StreamError if the answer is gone, the S2Error that makes another attempt useless, the last failure if
 * nothing comes for `resumeDeadline`, and AbortError when the signal comes.
 */
export async function* readAnswer(options: AnswerOptions): AsyncGenerator<UIMessageChunk, void, undefined> {
  const { timing, waits, signal } = options
  let body: Body | undefined = options.body
  let cursor: number | undefined
  let failures = 0
  let deadline = Date.now() + timing.resumeDeadline
  for (;;) {
    let broken: Error
    const request = new AbortController()
    const unlink = link(signal, request)
    try {
      const patience = Math.min(timing.stalledAfter, deadline - Date.now())
      body ??= await (cursor === undefined
        ? options.again(request.signal, patience)
        : options.after(cursor, request.signal, patience))
      if (!body) throw new S2StreamError('The answer ended before all of it was read, and cannot be read any more.')
      options.live()
      // The app may have left in its listener.
      if (signal.aborted) throw abortError()
      let waiting: UIMessageChunk[] = []
      for await (const event of readEvents(body, timing.stalledAfter, request.signal)) {
        if (signal.aborted) throw abortError()
        const chunk = event.chunk as UIMessageChunk | undefined
        if (chunk) waiting.push(chunk)
        if (event.cursor === undefined) continue
        const known = cursor !== undefined && event.cursor <= cursor
        const whole = waiting
        waiting = []
        if (known) continue
        cursor = event.cursor
        failures = 0
        deadline = Date.now() + timing.resumeDeadline
        yield* whole
        options.passed(cursor)
        if (chunk && ENDS.has(chunk.type)) return
      }
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
