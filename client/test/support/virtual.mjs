// A server in this process and a clock that stands still until `advance`: waits of minutes take no time.
import { createS2Connection } from '../../dist/index.js'

/** Let everything happen that needs no time. */
export async function settled() {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** Handlers, as in scripted.mjs, but of one request; each returns what `fetch` does. */
export const silent = () => new Promise(() => {})
export const refused = () => Promise.reject(new TypeError('connection refused'))
export const reply = (status, body, headers = {}) => () =>
  Promise.resolve(new Response(typeof body === 'object' ? JSON.stringify(body) : body, { status, headers }))
/** Headers, then the frames, then nothing more until the test writes to `request.stream`. */
export const streaming =
  (...frames) =>
  (request) =>
    Promise.resolve(new Response(bodyOf(request, frames), { headers: { 'Content-Type': 'text/event-stream' } }))
/** Headers, the frames, and a clean end. */
export const whole =
  (...frames) =>
  async (request) => {
    const response = await streaming(...frames)(request)
    request.stream.close()
    return response
  }
/** A refusal whose body begins and never ends. */
export const endless = (status) => (request) => Promise.resolve(new Response(bodyOf(request, ['{"det']), { status }))

function bodyOf(request, frames) {
  return new ReadableStream({
    start(controller) {
      const encoder = new TextEncoder()
      request.stream = {
        write: (text) => controller.enqueue(encoder.encode(text)),
        close: () => controller.close(),
        error: () => controller.error(new TypeError('broken')),
      }
      for (const frame of frames) request.stream.write(frame)
    },
    cancel: () => void (request.cancelled = true),
  })
}

/** `script.get`, `.post`, `.delete`: handlers in order, of which the last one stays. The fetch ignores its signal. */
export function virtual(t, script) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  const requests = []
  const of = (method) => requests.filter((request) => request.method === method)
  const fetch = (url, init) => {
    const method = init.method.toLowerCase()
    const { pathname, searchParams } = new URL(url, 'http://localhost')
    const request = { method, path: pathname, query: Object.fromEntries(searchParams), at: Date.now(), signal: init.signal }
    request.body = init.body === undefined ? undefined : JSON.parse(init.body)
    request.headers = Object.fromEntries(init.headers)
    requests.push(request)
    const handlers = script[method]
    return handlers[Math.min(of(method).length, handlers.length) - 1](request)
  }
  const connect = (options = {}) =>
    createS2Connection({
      mode: 'session',
      sendUrl: '/api/chat',
      stopUrl: '/api/chat',
      subscribeUrl: '/api/chat/replay?id=c1',
      body: { id: 'c1' },
      fetch,
      ...options,
    })
  const advance = async (ms, step = 50) => {
    await settled()
    for (let left = ms; left > 0; left -= step) {
      t.mock.timers.tick(Math.min(step, left))
      await new Promise((resolve) => setImmediate(resolve))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await settled()
  }
  return { requests, script, fetch, connect, advance, gets: () => of('get'), posts: () => of('post'), deletes: () => of('delete') }
}

/** Follow a promise: `outcome.error`, `outcome.value`, and `outcome.at`, the time that it took. */
export function follow(promise) {
  const begun = Date.now()
  const outcome = { done: false }
  promise.then(
    (value) => Object.assign(outcome, { done: true, value, took: Date.now() - begun }),
    (error) => Object.assign(outcome, { done: true, error, took: Date.now() - begun }),
  )
  return outcome
}
