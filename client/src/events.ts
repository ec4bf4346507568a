import { createParser } from 'eventsource-parser'
import { S2StreamError } from './errors.js'
import { orAborted } from './signals.js'
import { after } from './timing.js'
import type { StreamChunk } from './types.js'

/** One server-sent event: its chunk, and the cursor after it if its id is one. */
export interface ChunkEvent {
  readonly cursor: number | undefined
  /** Undefined if the data is no chunk. */
  readonly chunk: StreamChunk | undefined
}

const LONGEST_EVENT = 64 * 1024 * 1024

/** The response went silent: not even a keep-alive came. */
export class Stalled extends Error {
  override name = 'Stalled'
}

/**
 * Yield the events of a response as they come. An event cut off by the end of the body is left out.
 *
 * `heard` is called whenever bytes arrive, keep-alives included. Throws what the body throws, {@link Stalled} after
 * `stalledAfter` ms without a byte, AbortError when the signal comes, and S2StreamError for an event of over 64 Mi
 * characters.
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  stalledAfter: number,
  signal?: AbortSignal,
  heard: () => void = () => {},
): AsyncGenerator<ChunkEvent, void, undefined> {
  let events: ChunkEvent[] = []
  let tooLong = false
  const parser = createParser({
    onEvent: ({ id, data }) => events.push({ cursor: cursorOf(id), chunk: chunkOf(data) }),
    onError: (error) => {
      tooLong ||= error.type === 'max-buffer-size-exceeded'
    },
    maxBufferSize: LONGEST_EVENT,
  })
  const decoder = new TextDecoder()
  const reader = body.getReader()
  try {
    for (;;) {
      const { done, value } = await inTime(reader.read(), stalledAfter, signal)
      if (done) return
      heard()
      parser.feed(decoder.decode(value, { stream: true }))
      if (tooLong) throw new S2StreamError(`The stream has an event of over ${LONGEST_EVENT} characters.`)
      const arrived = events
      events = []
      yield* arrived
    }
  } finally {
    // Closes the connection when the reader leaves early, and does nothing at the end.
    reader.cancel().catch(() => {})
  }
}

function inTime<T>(promise: Promise<T>, ms: number, signal: AbortSignal | undefined): Promise<T> {
  const heeded = signal ? orAborted(promise, signal) : promise
  return new Promise((resolve, reject) => {
    const clear = after(ms, () => reject(new Stalled(`Nothing came for ${ms} ms.`)))
    heeded.finally(clear).then(resolve, reject)
  })
}

function cursorOf(id: string | undefined): number | undefined {
  if (id === undefined || !/^\d+$/.test(id)) return undefined
  const cursor = Number(id)
  return Number.isSafeInteger(cursor) ? cursor : undefined
}

/** Return the chunk in an event's data. Anything else (`[DONE]`, an empty event) is not fatal: a log may hold it. */
function chunkOf(data: string): StreamChunk | undefined {
  try {
    const chunk: unknown = JSON.parse(data)
    if (typeof chunk === 'object' && chunk !== null && typeof (chunk as { type?: unknown }).type === 'string') {
      return chunk as StreamChunk
    }
  } catch {
    // No JSON.
  }
  return undefined
}
