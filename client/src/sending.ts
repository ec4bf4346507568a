import { abortError, S2Error } from './errors.js'
import { asError, type Requests } from './requests.js'
import { backoff, sleep, type Timing } from './timing.js'
import type { Messages, RunContext, UIMessage } from './types.js'

const RETRIED = new Set([undefined, 408, 425, 429, 502, 503, 504])

/** A send's run and body. What the option `body` says wins. */
export function prepare(
  requests: Requests,
  messages: Messages,
  data: Record<string, any> | undefined,
  context: RunContext | undefined,
  from: number | undefined,
): { runId: string; body: string } {
  const fields = requests.fields(messages, data)
  const runId = typeof fields.runId === 'string' ? fields.runId : (context?.runId ?? newRunId())
  return { runId, body: JSON.stringify({ messages, data, runId, from, ...fields }) }
}

/** Whether a request may be made again after this: no answer came, or one that is no refusal. */
export function mayRepeat(error: unknown): boolean {
  return error instanceof S2Error && RETRIED.has(error.status)
}

/**
 * Makes a request again until it gets through, is refused, or `sendDeadline` is over. The request has to be one that
 * the server carries out once, however often it comes.
 *
 * `known` tells that it got through although no answer says so; then undefined is returned. `online` is given what
 * ends a wait early, and returns how to take that back.
 */
export async function persist<Answer>(
  timing: Timing,
  signal: AbortSignal | undefined,
  request: () => Promise<Answer>,
  known: () => boolean = () => false,
  online: (retry: () => void) => () => void = () => () => {},
): Promise<Answer | undefined> {
  const deadline = Date.now() + timing.sendDeadline
  for (let failures = 1; ; failures++) {
    try {
      return await request()
    } catch (error) {
      if (signal?.aborted) throw abortError()
      const repeatable = mayRepeat(error)
      if (repeatable && known()) return undefined
      const wait = Math.max(backoff(failures, timing), (error as S2Error).retryAfter ?? 0)
      if (!repeatable || Date.now() + wait > deadline) throw error
      const early = new AbortController()
      const clear = online(() => early.abort())
      const abort = () => early.abort()
      signal?.addEventListener('abort', abort)
      await sleep(wait, early.signal)
      signal?.removeEventListener('abort', abort)
      clear()
      if (signal?.aborted) throw abortError()
    }
  }
}

/** Stops a run, or whichever runs, and does not give up at the first failure. Throws the S2Error that ended it. */
export async function stopRun(
  requests: Requests,
  timing: Timing,
  fields: Record<string, unknown>,
  runId: string | undefined,
  online?: (retry: () => void) => () => void,
): Promise<void> {
  const { signal } = new AbortController()
  try {
    await persist(timing, undefined, () => requests.stop(fields, runId, signal), undefined, online)
  } catch (error) {
    throw sendError(error, runId, undefined)
  }
}

/** The user's message of a send: the last one, if it is the user's. */
export function userMessage(messages: Messages): UIMessage | undefined {
  const last = messages.at(-1) as Partial<UIMessage> | undefined
  return last?.role === 'user' && typeof last.id === 'string' ? (last as UIMessage) : undefined
}

/** The error of a failed send, with what the app needs to put the text back. */
export function sendError(error: unknown, runId: string | undefined, unsent: UIMessage | undefined): Error {
  const known = asError(error)
  if (known instanceof S2Error) {
    known.runId = runId
    known.unsent = unsent
  }
  return known
}

/** An id for a run, also where there is no secure context. */
export function newRunId(): string {
  const { crypto } = globalThis as { crypto?: Crypto }
  if (typeof crypto?.randomUUID === 'function') return `run-${crypto.randomUUID()}`
  const random = () => Math.random().toString(36).slice(2, 12).padEnd(10, '0')
  return `run-${Date.now().toString(36)}-${random()}${random()}`
}
