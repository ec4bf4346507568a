import { abortError, S2Error } from './errors.js'
import { longestRetry } from './presence.js'
import { asError, type Requests } from './requests.js'
import { backoff, type Timing, type Waits } from './timing.js'
import type { Messages, RunContext, UIMessage } from './types.js'
import { within } from './within.js'

const RETRIED = new Set([undefined, 408, 425, 429, 502, 503, 504])
const BYTES_PER_MS = 16

/** Return the run and the body of a send. Fields of the option `body` win over the connection's own. */
export function prepare(
  requests: Requests,
  messages: Messages,
  data: Record<string, any> | undefined,
  context: RunContext | undefined,
  from: number | undefined,
): { runId: string; body: string } {
  const fields = requests.fields(messages, data)
  const runId = typeof fields.runId === 'string' ? fields.runId : (context?.runId ?? newRunId())
  const { parentRunId, resume, clientTools } = context ?? {}
  const tools = clientTools?.length ? clientTools : undefined
  return { runId, body: JSON.stringify({ messages, data, runId, from, parentRunId, resume, tools, ...fields }) }
}

/** Return whether a request may be repeated after this error: no answer came, or one that refuses nothing. */
export function mayRepeat(error: unknown): boolean {
  return error instanceof S2Error && RETRIED.has(error.status)
}

/** How long a request is attempted, and what cuts it short. */
export interface Persistence {
  /** The request's name in errors. */
  what: string
  timing: Timing
  /** What is sent, which takes its time. */
  body?: string
  signal?: AbortSignal | undefined
  waits: Waits
  /** Return whether the request got through although no answer says so. */
  known?: () => boolean
  /** Asked once an attempt has taken `sendLostAfter`: whether it is given up and repeated. */
  lost?: () => boolean
}

/**
 * Make a request again and again until it gets through, is refused, or its time is over. The server must carry it out
 * once however often it comes.
 *
 * Return undefined if it is known to have got through without an answer. Throws the last attempt's S2Error, which is an
 * S2UnavailableError if the server stays silent, or AbortError.
 */
export async function persist<Answer>(
  persistence: Persistence,
  request: (signal: AbortSignal) => Promise<Answer>,
): Promise<Answer | undefined> {
  const { what, timing, body = '', signal, waits } = persistence
  const known = persistence.known ?? (() => false)
  const lost = () => !known() && (persistence.lost?.() ?? false)
  const upload = body.length / BYTES_PER_MS
  const once = timing.sendDeadline <= 0
  const deadline = Date.now() + upload + (once ? timing.stalledAfter : timing.sendDeadline)
  for (let failures = 1; ; failures++) {
    try {
      const attempt = (limited: AbortSignal) =>
        within(what, timing.sendLostAfter + upload, limited, request, () => !lost())
      return await within(what, deadline - Date.now(), signal, attempt, known)
    } catch (error) {
      if (signal?.aborted) throw abortError()
      if (mayRepeat(error) && known()) return undefined
      if (once || !mayRepeat(error)) throw error
      const wait = Math.max(backoff(failures, timing, longestRetry(timing)), (error as S2Error).retryAfter ?? 0)
      if (Date.now() + wait > deadline) throw error
      await waits.sleep(wait, signal)
      if (signal?.aborted) throw abortError()
      // A machine that slept may be late.
      if (Date.now() >= deadline) throw error
    }
  }
}

/** Return the user's message of a send: the last one, if it is the user's. */
export function userMessage(messages: Messages): UIMessage | undefined {
  const last = messages.at(-1) as Partial<UIMessage> | undefined
  return last?.role === 'user' && typeof last.id === 'string' ? (last as UIMessage) : undefined
}

/** Return the error of a failed send with what the app needs to put the text back. */
export function sendError(error: unknown, runId: string | undefined, unsent: UIMessage | undefined): Error {
  const known = asError(error)
  if (known instanceof S2Error) {
    known.runId = runId
    known.unsent = unsent
  }
  return known
}

/** Return a new id for a run, also where there is no secure context. */
export function newRunId(): string {
  const { crypto } = globalThis as { crypto?: Crypto }
  if (typeof crypto?.randomUUID === 'function') return `run-${crypto.randomUUID()}`
  const random = () => Math.random().toString(36).slice(2, 12).padEnd(10, '0')
  return `run-${Date.now().toString(36)}-${random()}${random()}`
}
