import assert from 'node:assert/strict'
import { test } from 'node:test'
import { S2AuthError, S2RequestError, S2StreamError } from '../dist/index.js'
import * as s from './support/scripted.mjs'
import { refused, reply, settled, silent, streaming, virtual, whole } from './support/virtual.mjs'

const { frame, text, started, finished, start, snapshot, user } = s
const LIMIT = { timeout: 120_000 }

test('a stream is read on where it broke, and every chunk comes once', LIMIT, async (t) => {
  const server = await s.scripted(t, {
    get: [
      s.breaks(frame(3, started()), frame(4, start()), frame(5, text('one '))),
      s.breaks(frame(4, start()), frame(5, text('one ')), frame(6, text('two '))),
      s.stays(frame(7, text('three')), frame(8, finished())),
    ],
  })
  const reading = s.read(t, s.connect(server))
  await s.until('the run is over', () => reading.types().includes('RUN_FINISHED'))
  assert.equal(reading.text(), 'one two three')
  assert.deepEqual(server.gets().map(({ query }) => query.from), [undefined, '5', '6'])
  assert.deepEqual(server.gets().map(({ query }) => query.id), ['c1', 'c1', 'c1'])
})

test('wherever the bytes are cut, the cut event is read again', LIMIT, async (t) => {
  const events = [frame(3, started()), frame(4, text('a–ü🙂')), frame(5, text('b'))]
  const bytes = Buffer.from(events.join(''))
  const ends = events.map((_, index) => Buffer.byteLength(events.slice(0, index + 1).join('')))
  const server = await s.scripted(t, {
    get: [
      (request, response) => {
        s.open(response)
        const { from = 0, cut } = request.query
        const rest = bytes.subarray(from < 3 ? 0 : ends[from - 3], cut)
        response.write(rest, () => cut && setTimeout(() => response.destroy(), 2))
      },
    ],
  })
  const cutAt = async (cut) => {
    let first = true
    const subscribeUrl = (cursor = 0) => {
      const url = `${server.base}/r?from=${cursor}${first ? `&cut=${cut}` : ''}`
      first = false
      return url
    }
    const reading = s.read(t, s.connect(server, { subscribeUrl }))
    await s.until('all is there', () => reading.chunks.length >= 3)
    assert.deepEqual(reading.types(), ['RUN_STARTED', 'TEXT_MESSAGE_CONTENT', 'TEXT_MESSAGE_CONTENT'], `cut at ${cut}`)
    assert.equal(reading.text(), 'a–ü🙂b')
    reading.abort()
    await reading.over
  }
  await Promise.all(Array.from({ length: bytes.length - 1 }, (_, index) => cutAt(index + 1)))
})

test('a snapshot is passed on whatever its id, and counts from there', LIMIT, async (t) => {
  const server = await s.scripted(t, {
    get: [
      s.breaks(frame(90, snapshot()), frame(91, text('old'))),
      s.breaks(frame(5, snapshot(user('hello'))), frame(6, text('new')), frame(6, text('again'))),
      s.stays(frame(7, text('more'))),
    ],
  })
  const reading = s.read(t, s.connect(server))
  await s.until('the last one is there', () => reading.text().endsWith('more'))
  assert.equal(reading.text(), 'oldnewmore')
  assert.deepEqual(server.gets().map(({ query }) => query.from), [undefined, '91', '6'])
})

test('chunks without ids are passed on, and what is no chunk is not', LIMIT, async (t) => {
  const server = await s.scripted(t, {
    get: [s.stays(frame(undefined, text('a')), frame(4, '{bad'), frame(5, '[DONE]'), frame(6, '7'), frame(7, text('b')))],
  })
  const reading = s.read(t, s.connect(server))
  await s.until('both are there', () => reading.text() === 'ab')
  assert.equal(reading.chunks.length, 2)
})

test('a lease that ends idle is taken up again, and the state stays live', LIMIT, async (t) => {
  const states = []
  const lease = (request, response) => {
    s.open(response)
    setTimeout(() => response.end(': keep-alive\n\n'), 60)
  }
  const server = await s.scripted(t, { get: [s.ends(frame(3, snapshot()), frame(4, text('x'))), lease] })
  const connection = s.connect(server, { onStateChange: (state) => states.push(state), timing: { healthyAfter: 50 } })
  const reading = s.read(t, connection)
  await s.until('five leases are over', () => server.gets().length >= 6)
  assert.deepEqual(states, ['connecting', 'live'])
  assert.equal(connection.state, 'live')
  assert.ok(server.gets().slice(1).every(({ query }) => query.from === '4'))
  reading.abort()
  await reading.over
  assert.equal(reading.error, undefined)
  assert.equal(connection.state, 'paused')
})

test('a server that ends each response at once is asked again, and not hammered', async (t) => {
  const server = virtual(t, { get: [whole(frame(3, snapshot()))] })
  s.read(t, server.connect())
  await server.advance(60_000)
  assert.ok(server.gets().length >= 30 && server.gets().length <= 90, `${server.gets().length} requests`)
})

for (const [status, kind, word] of [
  [400, S2RequestError, /refused \(400\).*why/],
  [401, S2AuthError, /not signed in \(401\).*why/],
  [403, S2AuthError, /not allowed \(403\).*why/],
  [404, S2RequestError, /nothing at its URL \(404\).*why/],
]) {
  test(`${status} ends the subscription with an error that says so`, LIMIT, async (t) => {
    const states = []
    const server = await s.scripted(t, { get: [s.answer(status, { detail: 'why' })] })
    const connection = s.connect(server, { onStateChange: (state, reason) => states.push([state, reason?.status]) })
    const reading = s.read(t, connection)
    await reading.over
    assert.ok(reading.error instanceof kind)
    assert.equal(reading.error.status, status)
    assert.equal(reading.error.detail, 'why')
    assert.match(reading.error.message, word)
    assert.equal(server.requests.length, 1)
    assert.deepEqual(states, [['connecting', undefined], ['failed', status]])
    assert.equal(connection.state, 'failed')
  })
}

test('a page in place of a stream is an error, unless a stream was there before', LIMIT, async (t) => {
  const page = s.answer(200, '<html>', { 'Content-Type': 'text/html' })
  const server = await s.scripted(t, { get: [page] })
  const wrong = s.read(t, s.connect(server))
  await wrong.over
  assert.ok(wrong.error instanceof S2StreamError)
  assert.match(wrong.error.message, /text\/html.*Is the URL right/)

  const portal = await s.scripted(t, { get: [s.breaks(frame(3, text('a'))), page, s.stays(frame(4, text('b')))] })
  const reading = s.read(t, s.connect(portal))
  await s.until('both are there', () => reading.text() === 'ab')
})

test('Retry-After is kept, in seconds and as a date', async (t) => {
  const server = virtual(t, {
    get: [
      reply(503, { detail: 'wait' }, { 'Retry-After': '10' }),
      () => reply(429, '', { 'Retry-After': new Date(Date.now() + 20_000).toUTCString() })(),
      streaming(frame(3, snapshot())),
    ],
  })
  const reading = s.read(t, server.connect())
  await server.advance(9_900)
  assert.equal(server.gets().length, 1)
  await server.advance(200)
  assert.equal(server.gets().length, 2)
  // A date has whole seconds.
  await server.advance(18_900)
  assert.equal(server.gets().length, 2)
  await server.advance(1_200)
  assert.equal(reading.chunks.length, 1)
})

test('failures are followed by growing waits, and the state says so after a while', async (t) => {
  const states = []
  const server = virtual(t, {
    get: [streaming(frame(3, text('a'))), reply(500), refused, reply(502), reply(504), streaming(frame(4, text('b')))],
  })
  const connection = server.connect({
    onStateChange: (state, reason) => states.push([state, reason?.status]),
    timing: { longestRetryVisible: Infinity },
  })
  const reading = s.read(t, connection)
  await settled()
  server.gets()[0].stream.error()
  await server.advance(10_000, 10)
  assert.equal(reading.text(), 'ab')
  assert.deepEqual(states.map(([state]) => state), ['connecting', 'live', 'reconnecting', 'live'])
  const at = server.gets().map((request) => request.at)
  assert.ok(at[5] - at[4] > at[3] - at[2])
})

test('a stream that goes silent is broken off and reopened, and keep-alives keep it', async (t) => {
  const server = virtual(t, { get: [streaming(frame(3, text('a'))), silent, streaming(frame(4, text('b')))] })
  const reading = s.read(t, server.connect())
  await server.advance(95_000)
  assert.equal(reading.text(), 'ab')
  assert.deepEqual(server.gets().map(({ signal }) => signal.aborted), [true, true, false])
  for (let minute = 0; minute < 20; minute++) {
    server.gets()[2].stream.write(': keep-alive\n\n')
    await server.advance(40_000, 500)
  }
  assert.equal(server.gets().length, 3)
})

test('204 to none is asked again, slower and slower, and the state stays live', async (t) => {
  const server = virtual(t, { get: [reply(204)] })
  const connection = server.connect()
  const reading = s.read(t, connection)
  await server.advance(300_000, 100)
  assert.equal(reading.done, false)
  assert.equal(connection.state, 'live')
  assert.ok(server.gets().length >= 10 && server.gets().length <= 30, `${server.gets().length} requests`)
})

test('204 to a cursor is read on without one', LIMIT, async (t) => {
  const nothing = s.answer(204)
  const server = await s.scripted(t, {
    get: [s.ends(frame(3, snapshot()), frame(4, text('a'))), nothing, s.stays(frame(4, snapshot(user('x'))), frame(5, text('b')))],
  })
  const reading = s.read(t, s.connect(server))
  await s.until('it goes on', () => reading.text() === 'ab')
  assert.deepEqual(server.gets().map(({ query }) => query.from), [undefined, '4', undefined])
})

test('abort is silent at any moment, and leaves no request behind', LIMIT, async (t) => {
  const cases = { hanging: s.hangs(), open: s.stays(frame(3, text('a'))), failing: s.answer(503), nothing: s.answer(204) }
  for (const [name, handler] of Object.entries(cases)) {
    const server = await s.scripted(t, { get: [handler] })
    const reading = s.read(t, s.connect(server))
    await s.until('it was asked', () => server.gets().length >= 1)
    await s.sleep(20)
    reading.abort()
    await reading.over
    assert.equal(reading.error, undefined, name)
    await s.sleep(50)
    const asked = server.gets().length
    await s.until(`${name}: the request is closed`, () => server.gets().every(({ open }) => !open))
    await s.sleep(100)
    assert.equal(server.gets().length, asked, name)
  }
  const never = s.connect({ base: 'http://127.0.0.1:1' })
  for await (const _ of never.subscribe(AbortSignal.abort())) assert.fail('an aborted subscription yields nothing')
})

test('each subscription begins with the whole chat, and they do not disturb each other', LIMIT, async (t) => {
  const server = await s.scripted(t, { get: [s.stays(frame(3, snapshot()), frame(4, text('a')))] })
  const connection = s.connect(server)
  const strict = s.read(t, connection)
  strict.abort()
  const [first, second] = [s.read(t, connection), s.read(t, connection)]
  await s.until('both read', () => first.text() === 'a' && second.text() === 'a')
  await strict.over
  assert.ok(server.gets().every(({ query }) => query.from === undefined))
  first.abort()
  await first.over
  assert.equal(connection.state, 'live')
  assert.equal(second.done, false)
})

test('headers are asked for before each request, and credentials go to fetch', LIMIT, async (t) => {
  const seen = []
  let token = 0
  const server = await s.scripted(t, { get: [s.breaks(frame(3, text('a'))), s.stays(frame(4, text('b')))] })
  const reading = s.read(
    t,
    s.connect(server, {
      headers: async () => ({ Authorization: `Bearer ${++token}` }),
      credentials: 'include',
      fetch: (url, init) => (seen.push(init.credentials), fetch(url, init)),
    }),
  )
  await s.until('both are read', () => reading.text() === 'ab')
  assert.deepEqual(server.gets().map(({ headers }) => headers.authorization), ['Bearer 1', 'Bearer 2'])
  assert.deepEqual(seen, ['include', 'include'])
})

test('a fetch that does not heed its signal is left all the same', LIMIT, async (t) => {
  const reading = s.read(t, s.connect({ base: 'http://localhost' }, { fetch: () => new Promise(() => {}) }))
  await s.sleep(20)
  reading.abort()
  await reading.over
  assert.equal(reading.error, undefined)
})

test('a fetch that does not stream is an error that says so', LIMIT, async (t) => {
  const fetch = async () => new Response(null, { headers: { 'Content-Type': 'text/event-stream' } })
  const reading = s.read(t, s.connect({ base: 'http://localhost' }, { fetch }))
  await reading.over
  assert.match(reading.error.message, /does not stream/)
})

test('an answer that is slow to come is waited for, also when a send was accepted meanwhile', LIMIT, async (t) => {
  const slow = (request, response) => setTimeout(() => {
    s.stays()(request, response)
    setTimeout(() => response.write(frame(3, snapshot(user('hi')))), 50)
  }, 300)
  const server = await s.scripted(t, { get: [slow], post: [s.answer(202)] })
  const connection = s.connect(server, { timing: { deliveryAfter: 100 } })
  const reading = s.read(t, connection)
  await connection.send([user('hi')])
  await s.until('the snapshot is read', () => reading.chunks.length === 1)
  assert.equal(server.gets().length, 1)
})

test('progress makes the next try immediate, however often it broke before', LIMIT, async (t) => {
  const more = (n) => s.breaks(frame(n, text(`${n} `)))
  const server = await s.scripted(t, { get: [more(3), more(4), more(5), s.stays(frame(6, text('end')))] })
  const reading = s.read(t, s.connect(server, { timing: { firstRetry: 60_000, longestRetry: 60_000, longestRetryVisible: 60_000 } }))
  await s.until('all is read', () => reading.text() === '3 4 5 end')
})

test('an abort between two tries leaves no timer that changes the state', LIMIT, async (t) => {
  const states = []
  const server = await s.scripted(t, { get: [s.answer(500)] })
  const connection = s.connect(server, { timing: { quietFor: 100 }, onStateChange: (state) => states.push(state) })
  const reading = s.read(t, connection)
  await s.until('it was asked', () => server.gets().length === 1)
  reading.abort()
  await reading.over
  await s.sleep(200)
  assert.deepEqual(states, ['connecting', 'paused'])
})
