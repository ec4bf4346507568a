import { abortError, errorFor, S2Error, S2StreamError, S2UnavailableError } from './errors.js'
import { detailOf, discard, streamOf } from './responses.js'
import { orAborted } from './signals.js'
import { parseRetryAfter, type Timing } from './timing.js'
import type { HeadersOption, Messages, S2ConnectionOptions, UrlOption } from './types.js'
import { within } from './within.js'

/**
 * Makes the requests that the options describe.
 *
 * Each fails with an S2Error, or with an AbortError once its signal comes, which ends it even if `fetch` ignores it.
 * The signal also ends the body of a returned response.
 */
export class Requests {
  readonly #options: S2ConnectionOptions
  readonly #timing: Timing

  constructor(options: S2ConnectionOptions, timing: Timing) {
    this.#options = options
    this.#timing = timing
  }

  /** POST the body of a send, or of `what` else errors call it. Return the response if its status is OK. */
  send(body: string, headers: HeadersInit | undefined, signal: AbortSignal, what = 'The send'): Promise<Response> {
    const request = { method: 'POST', body, signal }
    return this.#fetch(what, urlOf(this.#options.sendUrl), request, headers)
  }

  /**
   * GET the chunks after the cursor. Return the body, or undefined if there is nothing to read (204).
   *
   * Throws S2UnavailableError if no answer comes within `patience` ms. The signal should be of this request alone.
   */
  async replay(
    cursor: number | undefined,
    signal: AbortSignal,
    patience: number = this.#timing.stalledAfter,
  ): Promise<ReadableStream<Uint8Array> | undefined> {
    const { subscribeUrl } = this.#options
    if (subscribeUrl === undefined) throw new S2StreamError('There is no subscribeUrl to read from.')
    const url = typeof subscribeUrl === 'function' ? subscribeUrl(cursor) : withParameter(subscribeUrl, 'from', cursor)
    const request = { method: 'GET', headers: { Accept: 'text/event-stream' }, cache: 'no-store' as const }
    const response = await within('The subscription', patience, signal, (limited) =>
      this.#fetch('The subscription', url, { ...request, signal: limited }),
    )
    if (response.status === 204) return undefined
    return streamOf(response, 'The subscription')
  }

  /** DELETE: stop the named run, or whichever run goes on. */
  async stop(fields: Record<string, unknown>, runId: string | undefined, signal: AbortSignal): Promise<void> {
    const named = runId === undefined ? fields : { ...fields, runId }
    const given = urlOf(this.#options.stopUrl ?? '')
    const url = given.includes('?') ? withParameter(given, 'runId', runId) : given
    const request = { method: 'DELETE', body: JSON.stringify(named), signal }
    const response = await this.#fetch('The stop', url, request)
    discard(response)
  }

  /** GET the stored chat of a thread as JSON, of whatever shape. Throws S2UnavailableError if it takes too long. */
  async history(parameters: Record<string, string | number | undefined>): Promise<unknown> {
    let url = urlOf(this.#options.hydrateUrl ?? '')
    for (const [name, value] of Object.entries(parameters)) url = withParameter(url, name, value)
    const request = { method: 'GET', headers: { Accept: 'application/json' }, cache: 'no-store' as const }
    return within('The history', this.#timing.stalledAfter, undefined, async (signal) => {
      const response = await this.#fetch('The history', url, { ...request, signal })
      try {
        return await orAborted(response.json() as Promise<unknown>, signal)
      } catch (error) {
        if (signal.aborted) throw error
        const { status } = response
        throw new S2StreamError('The history is not JSON. Is hydrateUrl right?', { status, cause: error })
      }
    })
  }

  /** Return the fields that the option `body` adds. */
  fields(messages: Messages, data: Record<string, any> | undefined): Record<string, unknown> {
    const { body } = this.#options
    return (typeof body === 'function' ? body(messages, data) : body) ?? {}
  }

  async #fetch(what: string, url: string, request: RequestInit, own?: HeadersInit): Promise<Response> {
    const signal = request.signal as AbortSignal
    let response: Response
    try {
      const headers = new Headers(request.headers)
      if (request.body !== undefined) headers.set('Content-Type', 'application/json')
      for (const more of [await orAborted(headersOf(this.#options.headers), signal), own]) {
        new Headers(more).forEach((value, name) => headers.set(name, value))
      }
      if (signal.aborted) throw abortError()
      // Called as a plain function: browsers refuse their fetch as a method of another object.
      const fetchNow = this.#options.fetch ?? globalThis.fetch
      const credentials = this.#options.credentials ?? 'same-origin'
      response = await orAborted(fetchNow(url, { ...request, headers, credentials }), signal, discard)
    } catch (error) {
      if (signal.aborted) throw abortError()
      throw new S2UnavailableError(`${what} did not get through: ${text(error)}`, { cause: error })
    }
    if (signal.aborted) {
      discard(response)
      throw abortError()
    }
    if (response.ok) return response
    const detail = await detailOf(response, signal)
    if (signal.aborted) throw abortError()
    const retryAfter = parseRetryAfter(response.headers.get('retry-after'))
    throw errorFor(what, response.status, { detail, retryAfter })
  }
}

/** Return the URL, absolute or relative, with this parameter set. Undefined leaves it as it is. */
export function withParameter(url: string, name: string, value: string | number | undefined): string {
  if (value === undefined) return url
  const [, path = '', query = '', hash = ''] = /^([^?#]*)(\?[^#]*)?(#.*)?$/s.exec(url) ?? []
  const parameters = new URLSearchParams(query)
  parameters.set(name, String(value))
  return `${path}?${parameters}${hash}`
}

function urlOf(url: UrlOption): string {
  return typeof url === 'function' ? url() : url
}

async function headersOf(headers: HeadersOption | undefined): Promise<HeadersInit | undefined> {
  return typeof headers === 'function' ? headers() : headers
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Return whether another attempt may help. */
export function isTransient(error: unknown): boolean {
  return error instanceof S2UnavailableError
}

/** Return anything that was thrown as an Error. */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new S2Error(String(error), { cause: error })
}
