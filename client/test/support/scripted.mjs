// A real HTTP server that answers by script, and what tests need around it.
import { createServer } from 'node:http'
import { once } from 'node:events'
import { createS2Connection } from '../../dist/index.js'

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

export async function until(what, holds, ms = 60_000) {
  const deadline = Date.now() + ms
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`waited ${ms} ms in vain until ${what}`)
    await sleep(5)
  }
}

/** One event on the wire. */
export const frame = (id, chunk) =>
  `${id === undefined ? '' : `id: ${id}\n`}data: ${typeof chunk === 'string' ? chunk : JSON.stringify(chunk)}\n\n`

export const started = (runId = 'r1') => ({ type: 'RUN_STARTED', runId, threadId: 't' })
export const finished = (runId = 'r1') => ({ type: 'RUN_FINISHED', runId, threadId: 't', finishReason: 'stop' })
export const start = (messageId = 'a1', role = 'assistant') => ({ type: 'TEXT_MESSAGE_START', messageId, role })
export const text = (delta, messageId = 'a1') => ({ type: 'TEXT_MESSAGE_CONTENT', messageId, delta })
export const end = (messageId = 'a1') => ({ type: 'TEXT_MESSAGE_END', messageId })
export const user = (content, id = 'u1') => ({ id, role: 'user', parts: [{ type: 'text', content }] })
export const assistant = (content, id = 'a1') => ({ id, role: 'assistant', parts: [{ type: 'text', content }] })
export const snapshot = (...messages) => ({ type: 'MESSAGES_SNAPSHOT', messages })

/** Handlers of the scripts. */
export const answer =
  (status, body, headers = {}) =>
  (request, response) => {
    const json = typeof body === 'object'
    response.writeHead(status, { ...(json ? { 'Content-Type': 'application/json' } : {}), ...headers })
    response.end(json ? JSON.stringify(body) : body)
  }
export const open = (response) =>
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' }).write(': open\n\n')
/** A response with these frames that stays open. */
export const stays =
  (...frames) =>
  (request, response) => {
    open(response)
    if (frames.length) response.write(frames.join(''))
  }
/** A response with these frames that ends well. */
export const ends =
  (...frames) =>
  (request, response) => {
    open(response)
    response.end(frames.join(''))
  }
/** A response with these frames, then broken off. */
export const breaks =
  (...frames) =>
  (request, response) => {
    open(response)
    response.write(frames.join(''), () => setTimeout(() => response.destroy(), 5))
  }
/** No answer at all, ever. */
export const hangs = () => () => {}
/** The socket is closed before any answer. */
export const refuses = () => (request) => request.socket.destroy()

/** Times for tests: what a test waits for is short, what it must not run into is long, even on a busy machine. */
export const QUICK = {
  firstRetry: 10,
  longestRetry: 80,
  stalledAfter: 60_000,
  healthyAfter: 500,
  quietFor: 30_000,
  settleAfter: 60,
  sendDeadline: 60_000,
  resumeDeadline: 60_000,
}

/** A server for one test. `script.get`, `.post`, `.delete`: handlers in order, of which the last one stays. */
export async function scripted(t, script) {
  const requests = []
  const counts = {}
  const server = createServer((request, response) => {
    const url = new URL(request.url, 'http://localhost')
    const method = request.method.toLowerCase()
    const seen = { method, path: url.pathname, query: Object.fromEntries(url.searchParams), headers: request.headers }
    seen.at = Date.now()
    seen.open = true
    response.on('close', () => (seen.open = false))
    let body = ''
    request.on('data', (part) => (body += part))
    request.on('end', () => {
      seen.body = body ? JSON.parse(body) : undefined
      requests.push(seen)
      const handlers = script[method] ?? [answer(405)]
      const n = (counts[method] = (counts[method] ?? 0) + 1)
      const handler = handlers[Math.min(n, handlers.length) - 1]
      seen.response = response
      handler(seen, response, n)
      // A handler may take the socket away.
    })
    seen.socket = request.socket
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const base = `http://127.0.0.1:${server.address().port}`
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const of = (method) => requests.filter((request) => request.method === method)
  return { base, requests, script, gets: () => of('get'), posts: () => of('post'), deletes: () => of('delete') }
}

/** A connection to that server, in mode session unless told. */
export function connect(server, options = {}) {
  const { timing, ...rest } = options
  return createS2Connection({
    mode: 'session',
    sendUrl: `${server.base}/api/chat`,
    subscribeUrl: `${server.base}/api/chat/replay?id=c1`,
    stopUrl: `${server.base}/api/chat`,
    body: { id: 'c1' },
    ...rest,
    timing: { ...QUICK, ...timing },
  })
}

/** Reads a connection's subscription in the background. */
export function read(t, connection) {
  const controller = new AbortController()
  const reading = { chunks: [], done: false, error: undefined, abort: () => controller.abort() }
  reading.types = () => reading.chunks.map((chunk) => chunk.type)
  reading.text = () => reading.chunks.map((chunk) => chunk.delta ?? '').join('')
  reading.over = (async () => {
    try {
      for await (const chunk of connection.subscribe(controller.signal)) reading.chunks.push(chunk)
    } catch (error) {
      reading.error = error
    }
    reading.done = true
  })()
  t.after(() => controller.abort())
  return reading
}
