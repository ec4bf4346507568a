import { S2StreamError } from './errors.js'
import { orAborted } from './signals.js'
import { within } from './within.js'

const LONGEST_DETAIL = 500
const LONGEST_DETAIL_BODY = 64 * 1024
const DETAIL_WITHIN = 5_000

/** Return the body of an event stream. Throws S2StreamError for any other response. */
export function streamOf(response: Response, what: string): ReadableStream<Uint8Array> {
  const type = response.headers.get('content-type') ?? 'no content type'
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

/** Release a body that nobody reads, so that its connection can be used again. */
export function discard(response: Response): void {
  response.body?.cancel().catch(() => {})
}

/** Return what a refusal says. Its status counts for more: a body that is slow to come, or too long, is left unread. */
export async function detailOf(response: Response, signal: AbortSignal): Promise<string | undefined> {
  let said: string
  try {
    said = await within('The detail', DETAIL_WITHIN, signal, (limited) => textOf(response, limited))
  } catch {
    return undefined
  }
  try {
    const { detail } = JSON.parse(said) as { detail?: unknown }
    if (detail !== undefined) said = typeof detail === 'string' ? detail : JSON.stringify(detail)
  } catch {
    // Not JSON: the text itself, unless it is a web page.
    if (/^\s*</.test(said)) return undefined
  }
  return said.trim().slice(0, LONGEST_DETAIL) || undefined
}

async function textOf(response: Response, signal: AbortSignal): Promise<string> {
  const reader = response.body?.getReader()
  if (!reader) return orAborted(response.text(), signal)
  const decoder = new TextDecoder()
  let said = ''
  try {
    while (said.length < LONGEST_DETAIL_BODY) {
      const { done, value } = await orAborted(reader.read(), signal)
      if (done) break
      said += decoder.decode(value, { stream: true })
    }
    return said
  } finally {
    reader.cancel().catch(() => {})
  }
}
