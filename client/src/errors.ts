import type { UIMessage } from './ui-message.js'

/** What an {@link S2Error} knows beside its message. */
export interface S2ErrorDetails {
  /** The HTTP status, undefined when no answer came. */
  status?: number | undefined
  /** What the server said: `detail` of its JSON answer, or the text of its answer. */
  detail?: string | undefined
  /** Milliseconds that the server asked to wait (`Retry-After`). */
  retryAfter?: number | undefined
  /** What lies behind it, for example the error that `fetch` threw. */
  cause?: unknown
}

/** Whatever goes wrong between the connection and its server. The subclasses say what can be done about it. */
export class S2Error extends Error {
  override name = 'S2Error'
  /** The HTTP status, undefined when no answer came. */
  readonly status: number | undefined
  /** What the server said, if it said anything. */
  readonly detail: string | undefined
  /** Milliseconds that the server asked to wait (`Retry-After`), if it did. */
  readonly retryAfter: number | undefined
  /** The run of the send or stop that failed. */
  runId: string | undefined
  /** The message that a failed send did not get to the server: put its text back where it was typed. */
  unsent: UIMessage | undefined

  constructor(message: string, details: S2ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined)
    this.status = details.status
    this.detail = details.detail
    this.retryAfter = details.retryAfter
  }
}

/** 409: an answer is still being written, or the stream is in use. Nothing was stored; send again when it is over. */
export class S2ConflictError extends S2Error {
  override name = 'S2ConflictError'
}

/** 401 or 403: the server does not know who asks, or does not let them. Trying again as the same user is no use. */
export class S2AuthError extends S2Error {
  override name = 'S2AuthError'
}

/** Another 4xx (400, 404, 413, 422 …): the request is wrong, and will be wrong again. */
export class S2RequestError extends S2Error {
  override name = 'S2RequestError'
}

/** 429, 5xx, or no answer at all: the server cannot be reached or cannot work now. Trying again may help. */
export class S2UnavailableError extends S2Error {
  override name = 'S2UnavailableError'
}

/** The answer is not what the protocol says: no event stream, or one that broke and cannot be resumed. */
export class S2StreamError extends S2Error {
  override name = 'S2StreamError'
}

const WAIT = new Set([408, 425, 429])

/** The error for an answer that is not OK. */
export function errorFor(what: string, status: number, details: S2ErrorDetails): S2Error {
  const said = details.detail ? `: ${details.detail}` : ''
  const all = { ...details, status }
  if (status === 401) return new S2AuthError(`${what} was refused, not signed in (401)${said}`, all)
  if (status === 403) return new S2AuthError(`${what} was refused, not allowed (403)${said}`, all)
  if (status === 404) return new S2RequestError(`${what} found nothing at its URL (404)${said}`, all)
  if (status === 409) return new S2ConflictError(`${what} was refused, the chat is in use (409)${said}`, all)
  if (WAIT.has(status) || status >= 500) return new S2UnavailableError(`${what} failed (${status})${said}`, all)
  return new S2RequestError(`${what} was refused (${status})${said}`, all)
}

/** An error named AbortError, as `fetch` throws it; callers take it for silence. */
export function abortError(): Error {
  return Object.assign(new Error('The request was aborted.'), { name: 'AbortError' })
}
