// A server that says what a test tells it to, for states that a real server is in only for a moment, or by bad luck.
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const DIST = fileURLToPath(new URL('../../examples/chat/dist/', import.meta.url))
const TYPES = { '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.html': 'text/html' }
const STREAM = { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' }

/** Serves the built page, and chats whose streams are what the test emits. */
export async function startScripted() {
  const chats = new Map()
  const server = createServer((request, response) => void answer(request, response))
  server.listen(0, 'localhost')
  await once(server, 'listening')
  const url = `http://localhost:${server.address().port}`

  async function answer(request, response) {
    const { pathname, searchParams } = new URL(request.url, url)
    if (pathname === '/api/chat/replay') return chatOf(searchParams.get('id')).replay(searchParams, request, response)
    if (pathname === '/api/chat') return chatOf(JSON.parse(await bodyOf(request)).id).handle(request, response)
    const file = extname(pathname) ? pathname : '/index.html'
    const body = await readFile(join(DIST, file)).catch(() => null)
    response.writeHead(body ? 200 : 404, { 'Content-Type': TYPES[extname(file)] ?? 'text/plain' }).end(body)
  }

  function chatOf(id) {
    if (!chats.has(id)) chats.set(id, new ScriptedChat())
    return chats.get(id)
  }

  return {
    url,
    chat: (id) => ({ script: chatOf(id), url: `${url}/chat/${id}` }),
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

async function bodyOf(request) {
  let body = ''
  for await (const data of request) body += data
  return body
}

class ScriptedChat {
  #frames = []
  #streams = new Set()
  /** The status of the next streams; null leaves them without an answer. */
  status = 200
  /** What a send is answered with. */
  accept = Promise.resolve({ status: 202 })
  sends = 0

  /** Sends chunks to all readers, now and later. */
  emit(...chunks) {
    for (const chunk of chunks) {
      const frame = `id: ${this.#frames.length + 1}\ndata: ${JSON.stringify(chunk)}\n\n`
      this.#frames.push(frame)
      for (const stream of this.#streams) stream.write(frame)
    }
  }

  /** Breaks the streams off; `status` is what the next ones get. */
  cut(status) {
    this.status = status
    for (const stream of this.#streams) stream.destroy()
  }

  replay(parameters, request, response) {
    if (this.status === null) return request.socket.destroy()
    if (this.status !== 200) return response.writeHead(this.status, { 'Content-Type': 'application/json' }).end('{"detail":"no"}')
    response.writeHead(200, STREAM)
    response.write(': open\n\n')
    for (const frame of this.#frames.slice(Number(parameters.get('from') ?? 0))) response.write(frame)
    this.#streams.add(response)
    response.on('close', () => this.#streams.delete(response))
  }

  async handle(request, response) {
    if (request.method === 'DELETE') return response.writeHead(202).end()
    this.sends++
    const { status, detail } = await this.accept
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(detail && JSON.stringify({ detail }))
  }
}

/** A chunk that sets the whole chat: `[role, text, run]` for each message. */
export function snapshot(...rows) {
  const messages = rows.map(([role, text, run], index) => ({
    id: `m${index + 1}`,
    role,
    parts: text ? [{ type: 'text', content: text }] : [],
    createdAt: '2026-01-01T00:00:00.000Z',
    ...(run && { metadata: { resumable: { run: { id: `r${index}`, ...run } } } }),
  }))
  return { type: 'MESSAGES_SNAPSHOT', messages }
}

/** The chunks that begin an answer. */
export function begun(messageId = 'answer') {
  return [
    { type: 'RUN_STARTED', runId: 'run', threadId: 'chat' },
    { type: 'TEXT_MESSAGE_START', messageId, role: 'assistant' },
  ]
}

export const said = (delta, messageId = 'answer') => ({ type: 'TEXT_MESSAGE_CONTENT', messageId, delta })

/** The chunks that end an answer; `run` is what the message says of it. */
export function ended(run, messageId = 'answer') {
  const broken = ['failed', 'lost', 'deadline'].includes(run.outcome)
  const code = { lost: 'writer_lost', deadline: 'deadline' }[run.outcome]
  return [
    { type: 'TEXT_MESSAGE_END', messageId, metadata: { resumable: { run: { id: 'run', ...run } } } },
    broken
      ? { type: 'RUN_ERROR', runId: 'run', message: run.error ?? 'An error occurred.', ...(code && { code }) }
      : { type: 'RUN_FINISHED', runId: 'run', threadId: 'chat', finishReason: run.finishReason ?? 'stop' },
  ]
}
