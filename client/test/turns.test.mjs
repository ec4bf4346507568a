import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_TIMING, S2ConflictError, S2RequestError, S2StreamError } from '../dist/index.js'
import * as s from './support/scripted.mjs'
import { follow, reply, settled, streaming, virtual } from './support/virtual.mjs'

const { frame, text, started, finished, start, user } = s
const LIMIT = { timeout: 120_000 }
const RUN = [frame(2, started()), frame(3, start()), frame(4, text('one ')), frame(5, text('two')), frame(6, finished())]

const single = (server, options) => s.connect(server, { mode: undefined, subscribeUrl: undefined, ...options })
const shared = (server, options) => s.connect(server, { mode: 'shared', ...options })

async function readConnect(connection, signal) {
  const chunks = []
  for await (const chunk of connection.connect([user('hi')], {}, signal, { runId: 'r1' })) chunks.push(chunk)
  return chunks
}
const textOf = (chunks) => chunks.map((chunk) => chunk.delta ?? '').join('')

test('by default, the response to the send brings the chunks', LIMIT, async (t) => {
  const states = []
  const server = await s.scripted(t, { post: [s.ends(...RUN.slice(0, 4), RUN[3], RUN[4])] })
  const connection = single(server, { onStateChange: (state) => states.push(state) })
  assert.equal('subscribe' in connection, false)
  const chunks = await readConnect(connection)
  assert.equal(textOf(chunks), 'one two')
  assert.equal(chunks.length, 5)
  assert.equal(server.posts()[0].body.runId, 'r1')
  assert.deepEqual(states, ['connecting', 'live', 'paused'])
})

test('without subscribeUrl, a break is an error that says so', LIMIT, async (t) => {
  const server = await s.scripted(t, { post: [s.breaks(...RUN.slice(0, 3))] })
  await assert.rejects(readConnect(single(server)), (error) => {
    assert.ok(error instanceof S2StreamError)
    assert.match(error.message, /no subscribeUrl to read on/)
    return true
  })
  assert.equal(server.posts().length, 1)
})

test('a break after the end of the run is no error', LIMIT, async (t) => {
  const server = await s.scripted(t, { post: [s.breaks(...RUN)] })
  assert.equal(textOf(await readConnect(single(server))), 'one two')
})

test('without subscribeUrl, 202 is an error, and refusals are what they are', LIMIT, async (t) => {
  const accepting = await s.scripted(t, { post: [s.answer(202)] })
  await assert.rejects(readConnect(single(accepting)), /need a subscribeUrl/)
  const busy = await s.scripted(t, { post: [s.answer(409, { detail: 'Stream already in use' })] })
  await assert.rejects(readConnect(single(busy)), (error) => {
    assert.ok(error instanceof S2ConflictError)
    assert.equal(error.unsent.id, 'u1')
    return true
  })
})

test('an aborted response is silent', LIMIT, async (t) => {
  const server = await s.scripted(t, { post: [s.stays(...RUN.slice(0, 3))] })
  const controller = new AbortController()
  const reading = readConnect(single(server), controller.signal)
  await s.until('it was posted', () => server.posts().length === 1)
  await s.sleep(30)
  controller.abort()
  await assert.rejects(reading, { name: 'AbortError' })
  await s.until('the request is closed', () => !server.posts()[0].open)
})

test('with subscribeUrl, a broken response is read on from there', LIMIT, async (t) => {
  const server = await s.scripted(t, {
    get: [s.answer(204), s.breaks(...RUN.slice(2, 4)), s.answer(503), s.ends(...RUN.slice(4))],
    post: [s.breaks(...RUN.slice(0, 3))],
  })
  const connection = shared(server)
  const reading = s.read(t, connection)
  await s.until('nothing runs', () => server.gets().length === 1)
  await connection.send([user('hi')])
  assert.equal(reading.text(), 'one two')
  assert.equal(reading.chunks.length, 5)
  assert.deepEqual(server.gets().map(({ query }) => query.from), [undefined, '4', '5', '5'])
  assert.equal(connection.state, 'paused')
  assert.equal(reading.done, false, 'the next send comes here too')
})

test('a response that ends well before its run does is read on, too', LIMIT, async (t) => {
  const server = await s.scripted(t, { get: [s.answer(204), s.ends(...RUN.slice(3))], post: [s.ends(...RUN.slice(0, 3))] })
  const connection = shared(server)
  const reading = s.read(t, connection)
  await s.until('nothing runs', () => server.gets().length === 1)
  await connection.send([user('hi')])
  assert.equal(reading.text(), 'one two')
})

test('a generation that the subscription and the response both bring comes once', LIMIT, async (t) => {
  let replay
  const server = await s.scripted(t, {
    get: [(request, response) => (s.open(response), (replay = response))],
    post: [
      (request, response) => {
        replay.write(RUN.slice(0, 3).join(''))
        setTimeout(() => s.ends(...RUN)(request, response), 50)
      },
    ],
  })
  const connection = shared(server)
  const controller = new AbortController()
  t.after(() => controller.abort())
  const chunks = []
  void (async () => {
    for await (const chunk of connection.subscribe(controller.signal)) {
      chunks.push(chunk)
      // A reader that is still busy with the one when the other begins.
      await s.sleep(60)
    }
  })()
  await s.until('it is asked', () => replay)
  await connection.send([user('hi')])
  await s.until('the run is over', () => chunks.at(-1)?.type === 'RUN_FINISHED')
  assert.equal(textOf(chunks), 'one two')
  assert.deepEqual(chunks.filter(({ delta }) => !delta).map(({ type }) => type), ['RUN_STARTED', 'TEXT_MESSAGE_START', 'RUN_FINISHED'])
})

test('after 202, the chunks are read from subscribeUrl', LIMIT, async (t) => {
  const server = await s.scripted(t, { get: [s.answer(204), s.ends(...RUN)], post: [s.answer(202)] })
  const connection = shared(server)
  const reading = s.read(t, connection)
  await s.until('nothing runs', () => server.gets().length === 1)
  await connection.send([user('hi')])
  assert.equal(reading.text(), 'one two')
})

test('a generation that ended while it could not be read is an error, never half an answer', LIMIT, async (t) => {
  const server = await s.scripted(t, { get: [s.answer(204)], post: [s.breaks(...RUN.slice(0, 3)), s.answer(202)] })
  const connection = shared(server)
  s.read(t, connection)
  await s.until('nothing runs', () => server.gets().length === 1)
  for (const _ of ['broken', 'accepted']) {
    await assert.rejects(connection.send([user('hi')]), /cannot be read any more/)
  }
})

test('a reloaded page reads the running generation, and the next send after it', LIMIT, async (t) => {
  const second = [frame(12, started('r2')), frame(13, text('three')), frame(14, finished('r2'))]
  const server = await s.scripted(t, { get: [s.breaks(...RUN.slice(0, 3)), s.ends(...RUN.slice(3))], post: [s.ends(...second)] })
  const connection = shared(server)
  const reading = s.read(t, connection)
  await s.until('the run is over', () => reading.types().includes('RUN_FINISHED'))
  await connection.send([user('more')])
  await s.until('the second is over', () => reading.chunks.at(-1).runId === 'r2' && reading.chunks.length === 8)
  assert.equal(reading.text(), 'one twothree')
  assert.equal(server.posts()[0].body.from, 6)
})

test('Strict Mode: subscribe, abort, subscribe again reads on without doubling', LIMIT, async (t) => {
  const server = await s.scripted(t, { get: [s.stays(...RUN.slice(0, 3)), s.ends(...RUN)] })
  const connection = shared(server)
  const first = s.read(t, connection)
  await s.until('some came', () => first.chunks.length === 3)
  await s.sleep(10)
  first.abort()
  await first.over
  const again = s.read(t, connection)
  await s.until('the rest came', () => again.types().includes('RUN_FINISHED'))
  assert.equal(first.text() + again.text(), 'one two')
})

test('single-use: each send is a stream of its own, whose ids begin anew', LIMIT, async (t) => {
  const second = [frame(2, started('r2')), frame(3, text('three')), frame(4, finished('r2'))]
  const server = await s.scripted(t, { get: [s.answer(204)], post: [s.ends(...RUN), s.ends(...second)] })
  const connection = s.connect(server, { mode: 'single-use' })
  const reading = s.read(t, connection)
  await connection.send([user('a')])
  await connection.send([user('b')])
  await s.until('both came', () => reading.text() === 'one twothree')
})

test('a subscription that is refused ends with the error', LIMIT, async (t) => {
  const server = await s.scripted(t, { get: [s.answer(404, { detail: 'no such chat' })] })
  const connection = shared(server)
  const reading = s.read(t, connection)
  await reading.over
  assert.ok(reading.error instanceof S2RequestError)
  assert.equal(reading.error.detail, 'no such chat')
  assert.equal(connection.state, 'failed')
})

test('a generation that cannot be resumed is given up after the deadline, with what the server said', async (t) => {
  const server = virtual(t, { get: [reply(204), reply(502)], post: [streaming(...RUN.slice(0, 3))] })
  const connection = server.connect({ mode: 'shared' })
  s.read(t, connection)
  await settled()
  const sending = follow(connection.send([user('hi')]))
  await settled()
  server.posts()[0].stream.error()
  await server.advance(DEFAULT_TIMING.resumeDeadline - 10_000, 100)
  assert.equal(sending.done, false)
  await server.advance(10_000)
  assert.equal(sending.error?.status, 502)
})

test('thousands of chunks pass a slow reader in order', LIMIT, async (t) => {
  const many = Array.from({ length: 3000 }, (_, index) => frame(index + 3, text(`${index},`)))
  const server = await s.scripted(t, { get: [s.answer(204)], post: [s.ends(frame(2, started()), ...many, frame(9999, finished()))] })
  const connection = shared(server)
  const reading = s.read(t, connection)
  await connection.send([user('hi')])
  await s.until('all came', () => reading.types().includes('RUN_FINISHED'))
  assert.equal(reading.text(), many.map((_, index) => `${index},`).join(''))
})

test('stop names the run', LIMIT, async (t) => {
  const server = await s.scripted(t, { get: [s.answer(204)], post: [s.stays(frame(2, started('theirs')))], delete: [s.answer(202)] })
  const connection = shared(server)
  const reading = s.read(t, connection)
  const sending = connection.send([user('hi')])
  await s.until('it runs', () => reading.chunks.length === 1)
  await connection.stop()
  assert.deepEqual(server.deletes()[0].body, { id: 'c1', runId: 'theirs' })
  server.posts()[0].response.end(frame(3, finished('theirs')))
  await sending
})
