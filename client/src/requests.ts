import { abortError, errorFor, S2Error, S2StreamError, S2UnavailableError } from './errors.js'
import { Stalled } from './events.js'
import { after, parseRetryAfter, type Timing } from './timing.js'
import type { HeadersOption, Messages, S2ConnectionOptions, UrlOption } from './types.js'

const LONGEST_DETAIL = 500

/** The three requests, made from the options. Every failure is an S2Error, or an AbortError if the signal came. */
export class Requests {
  readonly #options: S2ConnectionOptions
  readonly #timing: Timing

  constructor(options: S2ConnectionOptions, timing: Timing) {
    this.#options = options
    this.#timing = timing
  }

  /** POST of a send's body. Any status that is OK is an answer. */
  send(body: string, headers: Record<string, string> | undefined, signal: AbortSignal): Promise<Response> {
    const request = { method: 'POST', body, signal }
    return this.#fetch('The send', urlOf(this.#options.sendUrl), request, headers)
  }

  /**
   * GET of the chunks after the cursor: a response's body, or undefined if there is nothing to read (204).
   *
   * `signal` ends the body too; it should belong to this request alone.
   */
  async replay(cursor: number | undefined, signal: AbortSignal): Promise<ReadableStream<Uint8Array> | undefined> {
    const { subscribeUrl } = this.#options
    if (subscribeUrl === undefined) throw new S2StreamError('There is no subscribeUrl to read from.')
    const url = typeof subscribeUrl === 'function' ? subscribeUrl(cursor) : withParameter(subscribeUrl, 'from', cursor)
    const request = { method: 'GET', signal, headers: { Accept: 'text/event-stream' }, cache: 'no-store' as const }
    const late = new AbortController()
    link(signal, late)
    const clear = after(this.#timing.stalledAfter, () => late.abort(new Stalled('no answer came')))
    try {
      const response = await this.#fetch('The subscription', url, { ...request, signal: late.signal })
      if (response.status === 204) return undefined
      return streamOf(response, 'The subscription')
    } catch (error) {
      if (signal.aborted) throw abortError()
      if (!late.signal.aborted) throw error
      throw new S2UnavailableError(`The subscription got no answer in ${this.#timing.stalledAfter} ms.`)
    } finally {
      clear()
    }
  }

  /** DELETE: stop the run, or whichever runs. */
  async stop(fields: Record<string, unknown>, runId: string | undefined, signal: AbortSignal): Promise<void> {
    const named = runId === undefined ? fields : { ...fields, runId }
    const given = urlOf(this.#options.stopUrl ?? '')
    const url = given.includes('?') ? withParameter(given, 'runId', runId) : given
    const request = { method: 'DELETE', body: JSON.stringify(named), signal }
    const response = await this.#fetch('The stop', url, request)
    discard(response)
  }

  /** The fields of the option `body`. */
  fields(messages: Messages, data: Record<string, any> | undefined): Record<string, unknown> {
    const { body } = this.#options
    return (typeof body === 'function' ? body(messages, data) : body) ?? {}
  }

  async #fetch(what: string, url: string, request: RequestInit, own?: Record<string, string>): Promise<Response> {
    const signal = request.signal as AbortSignal
    let response: Response
    try {
      const headers = new Headers(request.headers)
      if (request.body !== undefined) headers.set('Content-Type', 'application/json')
      for (const more of [await headersOf(this.#options.headers), own]) {
        new Headers(more).forEach((value, name) => headers.set(name, value))
      }
      if (signal.aborted) throw abortError()
      // Called as a plain function: browsers refuse their fetch as a method of another object.
      const fetchNow = this.#options.fetch ?? globalThis.fetch
      const credentials = this.#options.credentials ?? 'same-origin'
      response = await orAborted(fetchNow(url, { ...request, headers, credentials }), signal)
    } catch (error) {
      if (signal.aborted) throw abortError()
      throw new S2UnavailableError(`${what} did not get through: ${text(error)}`, { cause: error })
    }
    if (response.ok) return response
    const detail = await detailOf(response)
    if (signal.aborted) throw abortError()
    const retryAfter = parseRetryAfter(response.headers.get('retry-after'))
    throw errorFor(what, response.status, { detail, retryAfter })
  }
}

/** The body of an event stream. Throws S2StreamError for anything else. */
export function streamOf(response: Response, what: string): ReadableStream<Uint8Array> {
  const type = response.headers.get('content-type') ?? 'nothing'
  if (!/^text\/event-stream\b/i.test(type)) {
    discard(response)
    throw new S2StreamError(`${what} got ${type} (${response.status}) and not text/event-stream. Is the URL right?`, {
      status: response.status,
    })
  }
  if (!response.body) {
    throw new S2StreamError('This fetch does not stream. Give the connection one that does, as its option `fetch`.')
  }
  return response.body
}

/** Not every fetch heeds its signal. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(abortError())
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort)
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

/** Lets go of a body that nobody reads, so that its connection can be used again. */
export function discard(response: Response): void {
  response.body?.cancel().catch(() => {})
}

/** Aborts `controller` with `signal`; the function it returns undoes that. */
export function link(signal: AbortSignal | undefined, controller: AbortController): () => void {
  if (!signal) return () => {}
  const abort = () => controller.abort(signal.reason)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort)
  return () => signal.removeEventListener('abort', abort)
}

/** The URL with its parameter set, also if it is relative. Undefined leaves the URL as it is. */
export function withParameter(url: string, name: string, value: string | number | undefined): string {
  if (value === undefined) return url
  const [, path = '', query = '', hash = ''] = /^([^?#]*)(\?[^#]*)?(#.*)?$/s.exec(url) ?? []
  const parameters = new URLSearchParams(query)
  parameters.set(name, String(value))
  return `${path}?${parameters}${hash}`
}

export function urlOf(url: UrlOption): string {
  return typeof url === 'function' ? url() : url
}

async function headersOf(headers: HeadersOption | undefined): Promise<HeadersInit | undefined> {
  return typeof headers === 'function' ? headers() : headers
}

async function detailOf(response: Response): Promise<string | undefined> {
  let said: string
  try {
    said = await response.text()
  } catch {
    return undefined
  }
  try {
    const { detail } = JSON.parse(said)
    if (detail !== undefined) said = typeof detail === 'string' ? detail : JSON.stringify(detail)
  } catch {
    // No JSON: the text itself, unless it is a page.
    if (/^\s*</.test(said)) return undefined
  }
  return said.trim().slice(0, LONGEST_DETAIL) || undefined
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Whether trying again may help. */
export function isTransient(error: unknown): boolean {
  return error instanceof S2UnavailableError
}

/** Whatever was thrown, as an Error. */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new S2Error(String(error), { cause: error })
}
