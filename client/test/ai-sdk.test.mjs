import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createResumableTransport } from '../dist/ai-sdk/index.js'
import * as s from './support/scripted.mjs'
import { refused, reply, settled, silent, streaming, virtual, whole } from './support/virtual.mjs'

const { frame } = s
const LIMIT = { timeout: 60_000 }
const begin = { type: 'start', messageId: 'a' }
const opened = { type: 'text-start', id: '1' }
const said = (delta) => ({ type: 'text-delta', id: '1', delta })
const over = { type: 'finish', finishReason: 'stop' }
const first = frame(undefined, begin) + frame(undefined, opened) + frame(5, said('One '))
const last = frame(6, said('two')) + frame(8, over) + frame(undefined, '[DONE]')
const SEND = { chatId: 'c 1', trigger: 'submit-message', messageId: undefined, messages: [s.user('Hi')], abortSignal: undefined }

/** A transport on a scripted fetch in virtual time, with the requests that it made. */
function made(t, script, options = {}) {
  const server = virtual(t, script)
  const transport = createResumableTransport({ api: '/api/ai-sdk/chat', fetch: server.fetch, ...options })
  return { ...server, transport }
}

/** Reads a stream of chunks in the background. */
function reading(stream) {
  const read = { chunks: [], error: undefined, done: false }
  const reader = stream.getReader()
  read.cancel = () => reader.cancel()
  read.over = (async () => {
    try {
      for (let next; !(next = await reader.read()).done; ) read.chunks.push(next.value)
    } catch (error) {
      read.error = error
    }
    read.done = true
  })()
  return read
}

test('the URL of the routes must be one', () => {
  for (const api of ['', 7]) assert.throws(() => createResumableTransport({ api }), /api must be the URL/)
})

test('a send carries what the AI SDK sends, and a run of its own', LIMIT, async (t) => {
  const { transport, requests } = made(t, { post: [whole(first, last)] }, { body: () => ({ tone: 'dry' }), headers: async () => ({ a: '1' }) })
  const stream = await transport.sendMessages({ ...SEND, body: { more: 1 }, headers: { b: '2' } })
  const read = reading(stream)
  await read.over
  assert.deepEqual(read.chunks, [begin, opened, said('One '), said('two'), over])
  const [{ path, body, headers }] = requests
  assert.equal(path, '/api/ai-sdk/chat')
  const { runId, ...rest } = body
  assert.match(runId, /^run-/)
  assert.deepEqual(rest, { tone: 'dry', more: 1, id: 'c 1', messages: SEND.messages, trigger: 'submit-message' })
  assert.deepEqual([headers.a, headers.b], ['1', '2'])
  await transport.sendMessages(SEND)
  assert.equal(requests[1].body.from, 8, 'what the tab has seen')
  assert.notEqual(requests[1].body.runId, runId)
})

test('an answer that breaks is read on from the last whole chunk', LIMIT, async (t) => {
  // The chunks behind the last id come again, and are not shown twice.
  const half = frame(undefined, { type: 'text-end', id: '1' })
  const { transport, requests, advance } = made(t, { post: [whole(first, half)], get: [whole(half, last)] })
  const read = reading(await transport.sendMessages(SEND))
  await settled()
  await advance(200)
  await read.over
  assert.deepEqual(read.chunks, [begin, opened, said('One '), { type: 'text-end', id: '1' }, said('two'), over])
  assert.deepEqual([requests[1].path, requests[1].query], ['/api/ai-sdk/chat/c%201/stream', { from: '5' }])
})

test('an answer that breaks before its first chunk is asked for by the same send', LIMIT, async (t) => {
  const { transport, requests, advance } = made(t, { post: [whole(frame(undefined, begin)), whole(first, last)] })
  const read = reading(await transport.sendMessages(SEND))
  await settled()
  await advance(200)
  await read.over
  assert.deepEqual(read.chunks.map(({ type }) => type), ['start', 'text-start', 'text-delta', 'text-delta', 'finish'])
  assert.deepEqual(requests[1].body, requests[0].body)
})

test('an end mark without an end is no end', LIMIT, async (t) => {
  const { transport, advance } = made(t, { post: [whole(first, frame(undefined, '[DONE]'))], get: [whole(last)] })
  const read = reading(await transport.sendMessages(SEND))
  await settled()
  assert.equal(read.done, false)
  await advance(200)
  await read.over
  assert.equal(read.chunks.at(-1).type, 'finish')
})

test('a resumed answer that breaks at once begins again', LIMIT, async (t) => {
  const { transport, requests, advance } = made(t, { get: [whole(frame(undefined, begin)), whole(first, last)] })
  const read = reading(await transport.reconnectToStream({ chatId: 'c' }))
  await settled()
  await advance(200)
  await read.over
  assert.equal(read.chunks.length, 5)
  assert.ok(requests.every(({ query }) => !('from' in query)))
})

test('nothing to resume is null', LIMIT, async (t) => {
  const { transport } = made(t, { get: [() => Promise.resolve(new Response(null, { status: 204 }))] })
  assert.equal(await transport.reconnectToStream({ chatId: 'c' }), null)
  assert.equal(transport.state, 'paused')
})

test('an answer that is gone fails', LIMIT, async (t) => {
  const gone = () => Promise.resolve(new Response(null, { status: 204 }))
  const { transport, advance } = made(t, { post: [whole(first)], get: [gone] })
  const read = reading(await transport.sendMessages(SEND))
  await settled()
  await advance(200)
  await read.over
  assert.equal(read.error.name, 'S2StreamError')
  assert.equal(transport.state, 'failed')
})

test('an answer without progress fails after resumeDeadline', LIMIT, async (t) => {
  const { transport, advance } = made(t, { post: [streaming(first)], get: [refused] })
  const read = reading(await transport.sendMessages(SEND))
  await settled()
  await advance(46_000)
  assert.equal(read.done, false)
  await advance(5_000)
  assert.equal(transport.state, 'reconnecting')
  await advance(200_000)
  await read.over
  assert.equal(read.error.name, 'S2UnavailableError')
})

test('a send that nobody answers fails at its deadline, and a stop as well', LIMIT, async (t) => {
  const { transport, requests, advance } = made(t, { post: [silent] })
  const sending = assert.rejects(transport.sendMessages(SEND), ({ name, unsent }) => name === 'S2UnavailableError' && unsent === SEND.messages[0])
  await settled()
  await advance(61_000)
  await sending
  const stopping = assert.rejects(transport.stop('c 1'), { name: 'S2UnavailableError' })
  await settled()
  await advance(61_000)
  await stopping
  assert.equal(requests.at(-1).path, '/api/ai-sdk/chat/c%201/stop')
})

test('a refusal is told at once, in the words of the server', LIMIT, async (t) => {
  for (const [status, name] of [[401, 'S2AuthError'], [409, 'S2ConflictError'], [422, 'S2RequestError'], [500, 'S2UnavailableError']]) {
    await t.test(String(status), async (t) => {
      const { transport, requests } = made(t, { post: [reply(status, 'So it is.')] })
      await assert.rejects(transport.sendMessages(SEND), (error) => error.name === name && error.detail === 'So it is.')
      assert.equal(requests.length, 1)
      assert.equal(transport.state, 'failed')
    })
  }
})

test('a stop names the run that is read, and no other', LIMIT, async (t) => {
  const { transport, requests } = made(t, { post: [streaming(first), reply(202, ''), streaming(first)] })
  const read = reading(await transport.sendMessages(SEND))
  await settled()
  await transport.stop('c 1')
  assert.equal(requests[1].body.runId, requests[0].body.runId)
  await read.cancel()
  await transport.stop('c 1')
  assert.deepEqual(requests[2].body, {})
})

test('a page that leaves ends the request', LIMIT, async (t) => {
  const { transport, requests } = made(t, { post: [streaming(first)] })
  const leaving = new AbortController()
  const read = reading(await transport.sendMessages({ ...SEND, abortSignal: leaving.signal }))
  await settled()
  leaving.abort()
  await read.over
  assert.equal(read.error.name, 'AbortError')
  assert.equal(requests[0].cancelled, true)
  assert.equal(transport.state, 'paused')
  await assert.rejects(transport.sendMessages({ ...SEND, abortSignal: leaving.signal }), { name: 'AbortError' })
  await assert.rejects(transport.reconnectToStream({ chatId: 'c', abortSignal: leaving.signal }), { name: 'AbortError' })
})

test('reconnect tries again at once', LIMIT, async (t) => {
  const { transport, requests, advance } = made(t, { post: [whole(first)], get: [refused, refused, refused, whole(last)] })
  const read = reading(await transport.sendMessages(SEND))
  await settled()
  for (let tries = 0; tries < 6 && !read.done; tries++) {
    transport.reconnect()
    await settled()
    await advance(1)
  }
  await read.over
  assert.equal(read.chunks.at(-1).type, 'finish')
  assert.equal(requests.length, 5)
})
