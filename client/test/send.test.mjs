import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_TIMING, S2AuthError, S2ConflictError, S2RequestError, S2UnavailableError } from '../dist/index.js'
import * as s from './support/scripted.mjs'
import { follow, reply, settled, silent, streaming, virtual } from './support/virtual.mjs'

const { frame, text, started, finished, snapshot, user, assistant } = s
const LIMIT = { timeout: 120_000 }
const accepted = s.answer(202)
const context = { threadId: 't', runId: 'r1' }

test('a send carries messages, data, the body option, the run and the cursor', LIMIT, async (t) => {
  const server = await s.scripted(t, { get: [s.stays(frame(7, snapshot()))], post: [accepted] })
  const connection = s.connect(server, { body: (messages, data) => ({ id: 'c1', n: messages.length, mood: data?.mood }) })
  await connection.send([user('before')])
  const reading = s.read(t, connection)
  await s.until('the snapshot is read', () => reading.chunks.length === 1)
  await s.sleep(10)
  await connection.send([user('hello')], { mood: 'glad' }, undefined, { ...context, headers: { 'X-Key': 'k' } })
  const [first, second] = server.posts()
  assert.match(first.body.runId, /^run-.{20,}/)
  assert.equal('from' in first.body, false)
  assert.deepEqual(second.body, {
    messages: [user('hello')],
    data: { mood: 'glad' },
    runId: 'r1',
    from: 7,
    id: 'c1',
    n: 1,
    mood: 'glad',
  })
  assert.equal(second.headers['content-type'], 'application/json')
  assert.equal(second.headers['x-key'], 'k')
})

test('a send that does not get through is repeated, byte for byte', LIMIT, async (t) => {
  const server = await s.scripted(t, {
    get: [s.stays()],
    post: [s.refuses(), s.answer(502), s.answer(503, { detail: 'x' }, { 'Retry-After': '0' }), s.answer(504), accepted],
  })
  await s.connect(server).send([user('hello')])
  const bodies = server.posts().map(({ body }) => JSON.stringify(body))
  assert.equal(bodies.length, 5)
  assert.equal(new Set(bodies).size, 1)
})

test('after the deadline it fails, and says which message was not sent', async (t) => {
  const server = virtual(t, { get: [silent], post: [reply(503, { detail: 'The log is away.' })] })
  const sending = follow(server.connect().send([user('hello')], {}, undefined, context))
  await server.advance(DEFAULT_TIMING.sendDeadline)
  const { error } = sending
  assert.ok(error instanceof S2UnavailableError)
  assert.equal(error.status, 503)
  assert.equal(error.detail, 'The log is away.')
  assert.equal(error.runId, 'r1')
  assert.deepEqual(error.unsent, user('hello'))
  assert.ok(server.posts().length >= 3)
})

test('with a deadline of 0 it is attempted once', LIMIT, async (t) => {
  const once = await s.scripted(t, { post: [s.refuses()] })
  await assert.rejects(s.connect(once, { timing: { sendDeadline: 0 } }).send([user('hello')]), S2UnavailableError)
  assert.equal(once.posts().length, 1)
})

test('a Retry-After beyond the deadline is not waited for', LIMIT, async (t) => {
  const server = await s.scripted(t, { post: [s.answer(429, {}, { 'Retry-After': '3600' })] })
  await assert.rejects(s.connect(server).send([user('hello')]), { status: 429, retryAfter: 3_600_000 })
  assert.equal(server.posts().length, 1)
})

for (const [status, kind] of [
  [400, S2RequestError],
  [401, S2AuthError],
  [403, S2AuthError],
  [404, S2RequestError],
  [409, S2ConflictError],
  [413, S2RequestError],
  [500, S2UnavailableError],
]) {
  test(`a send refused with ${status} fails at once, and the stream goes on`, LIMIT, async (t) => {
    const server = await s.scripted(t, { get: [s.stays(frame(3, snapshot()))], post: [s.answer(status, { detail: 'no' })] })
    const connection = s.connect(server)
    const reading = s.read(t, connection)
    await assert.rejects(connection.send([user('hello')]), (error) => error instanceof kind && error.status === status)
    assert.equal(server.posts().length, 1)
    await s.sleep(20)
    assert.equal(reading.done, false)
    assert.equal(server.gets().length, 1)
  })
}

test('an aborted send is silent, while it waits for its answer and between two tries', LIMIT, async (t) => {
  for (const handler of [s.hangs(), s.answer(503)]) {
    const server = await s.scripted(t, { post: [handler] })
    const controller = new AbortController()
    const sending = s.connect(server, { timing: { firstRetry: 300, longestRetry: 300 } }).send([user('a')], {}, controller.signal)
    await s.until('it was posted', () => server.posts().length === 1)
    await s.sleep(20)
    controller.abort()
    await assert.rejects(sending, { name: 'AbortError' })
    await s.sleep(350)
    assert.equal(server.posts().length, 1)
  }
})

test('a post without an answer is over when the stream shows its run', LIMIT, async (t) => {
  let stream
  const server = await s.scripted(t, {
    get: [(request, response) => (s.open(response), (stream = response))],
    post: [() => stream.write(frame(5, started('r1')))],
  })
  const connection = s.connect(server)
  const reading = s.read(t, connection)
  await s.until('it is live', () => connection.state === 'live')
  await connection.send([user('hello')], {}, undefined, context)
  assert.deepEqual(reading.types(), ['RUN_STARTED'])
})

test('a gateway that gives up on a post whose run was seen does no harm', LIMIT, async (t) => {
  let stream
  const server = await s.scripted(t, {
    get: [(request, response) => (s.open(response), (stream = response))],
    post: [
      (request, response) => {
        stream.write(frame(5, started('r1')))
        setTimeout(() => s.answer(504)(request, response), 50)
      },
    ],
  })
  const connection = s.connect(server)
  s.read(t, connection)
  await s.until('it is live', () => connection.state === 'live')
  await connection.send([user('hello')], {}, undefined, context)
  await s.sleep(150)
  assert.equal(server.posts().length, 1)
})

test('a post that vanished is repeated if the stream shows nothing of it', LIMIT, async (t) => {
  const server = await s.scripted(t, { get: [s.stays(frame(3, snapshot()))], post: [s.hangs(), accepted] })
  const connection = s.connect(server, { timing: { sendLostAfter: 100 } })
  s.read(t, connection)
  await s.until('it is live', () => connection.state === 'live')
  await connection.send([user('hello')], {}, undefined, context)
  assert.deepEqual(server.posts().map(({ body }) => body.runId), ['r1', 'r1'])
})

test('a send cuts the wait for the next try of the stream short', LIMIT, async (t) => {
  const server = await s.scripted(t, { get: [s.answer(500), s.stays(frame(3, snapshot()))], post: [accepted] })
  const connection = s.connect(server, { timing: { firstRetry: 60_000, longestRetry: 60_000, longestRetryVisible: 60_000 } })
  const reading = s.read(t, connection)
  await s.until('it waits', () => server.gets().length === 1)
  await s.sleep(30)
  await connection.send([user('hello')])
  await s.until('it reads', () => reading.chunks.length === 1)
})

test('a stream that shows nothing of an accepted send is opened again', LIMIT, async (t) => {
  const server = await s.scripted(t, {
    get: [s.stays(frame(3, snapshot()), frame(4, text('a'))), s.stays(frame(5, started()), frame(6, finished()))],
    post: [accepted],
  })
  const connection = s.connect(server, { timing: { deliveryAfter: 100 } })
  const reading = s.read(t, connection)
  await s.until('it is live', () => reading.chunks.length === 2)
  await connection.send([user('hello')], {}, undefined, context)
  await s.until('the run is there', () => reading.types().includes('RUN_FINISHED'))
  assert.deepEqual(server.gets().map(({ query }) => query.from), [undefined, '4'])
  await s.sleep(300)
  assert.equal(server.gets().length, 2, 'only as long as nothing is shown')
})

test('a run that was over before the stream was back is ended for those who wait', LIMIT, async (t) => {
  const server = await s.scripted(t, {
    get: [
      s.stays(frame(3, snapshot())),
      s.refuses(),
      s.stays(frame(20, snapshot(user('hello'), assistant('done')))),
    ],
    post: [accepted],
  })
  const connection = s.connect(server)
  const reading = s.read(t, connection)
  await s.until('it is live', () => reading.chunks.length === 1)
  await connection.send([user('hello')], {}, undefined, context)
  server.gets()[0].response.destroy()
  await s.until('the run is ended', () => reading.types().includes('RUN_FINISHED'))
  assert.deepEqual(reading.types(), ['MESSAGES_SNAPSHOT', 'MESSAGES_SNAPSHOT', 'RUN_FINISHED'])
  assert.equal(reading.chunks[2].runId, 'r1')
})

test('a run that was seen to start, and is over in the snapshot after, is ended', LIMIT, async (t) => {
  const server = await s.scripted(t, {
    get: [
      s.breaks(frame(3, snapshot()), frame(4, started('other')), frame(5, text('a'))),
      s.stays(frame(30, snapshot(user('x'), assistant('a b'))), frame(31, started('later'))),
    ],
  })
  const reading = s.read(t, s.connect(server))
  await s.until('the later run is there', () => reading.chunks.length === 6)
  assert.deepEqual(
    reading.chunks.slice(3).map(({ type, runId }) => [type, runId]),
    [['MESSAGES_SNAPSHOT', undefined], ['RUN_FINISHED', 'other'], ['RUN_STARTED', 'later']],
  )
})

test('a run that goes on after a snapshot is not ended', LIMIT, async (t) => {
  const server = await s.scripted(t, {
    get: [
      s.breaks(frame(3, snapshot()), frame(4, started('r')), frame(5, text('a'))),
      s.stays(frame(3, snapshot(user('x'))), frame(4, started('r')), frame(5, text('a')), frame(6, text('b'))),
    ],
  })
  const reading = s.read(t, s.connect(server))
  await s.until('it goes on', () => reading.text() === 'aab')
  await s.sleep(150)
  assert.equal(reading.types().includes('RUN_FINISHED'), false)
})

test('a server with nothing to read has ended the run that was sent to it', LIMIT, async (t) => {
  const server = await s.scripted(t, { get: [s.answer(204)], post: [accepted] })
  const connection = s.connect(server)
  const reading = s.read(t, connection)
  await s.until('it was asked', () => server.gets().length === 1)
  await connection.send([user('hello')], {}, undefined, context)
  await s.until('it is ended', () => reading.types().includes('RUN_FINISHED'))
  assert.equal(reading.chunks[0].runId, 'r1')
})

test('an accepted run that never shows is ended at last', async (t) => {
  const server = virtual(t, {
    get: [streaming(frame(3, snapshot())), streaming(frame(6, snapshot(user('hello'))))],
    post: [reply(202)],
  })
  const connection = server.connect()
  const reading = s.read(t, connection)
  await settled()
  await connection.send([user('hello')], {}, undefined, context)
  await server.advance(DEFAULT_TIMING.deliveryAfter + 100)
  assert.equal(server.gets().length, 2)
  await server.advance(DEFAULT_TIMING.settleUnseenAfter - 1_000)
  assert.equal(reading.types().includes('RUN_FINISHED'), false, 'the model may still be thinking')
  await server.advance(2_000)
  assert.equal(reading.types().includes('RUN_FINISHED'), true)
})

test('stop names the run: the one under way, the one that is seen, else the last', LIMIT, async (t) => {
  const stops = { delete: [s.answer(202), s.answer(204)] }
  const server = await s.scripted(t, {
    get: [s.stays(frame(3, snapshot()), frame(4, started('seen')))],
    post: [s.hangs()],
    ...stops,
  })
  const connection = s.connect(server)
  const reading = s.read(t, connection)
  await s.until('the run is seen', () => reading.chunks.length === 2)
  await connection.stop()
  const controller = new AbortController()
  const sending = connection.send([user('a')], {}, controller.signal, { threadId: 't', runId: 'mine' })
  await connection.stop()
  controller.abort()
  await assert.rejects(sending, { name: 'AbortError' })
  assert.deepEqual(server.deletes().map(({ body }) => body), [
    { id: 'c1', runId: 'seen' },
    { id: 'c1', runId: 'mine' },
  ])

  const idle = await s.scripted(t, { post: [accepted], ...stops })
  const other = s.connect(idle, { stopUrl: () => `${idle.base}/stop?id=c1` })
  await other.stop()
  await other.send([user('a')], {}, undefined, context)
  await other.stop()
  assert.deepEqual(idle.deletes().map(({ query }) => query), [{ id: 'c1' }, { id: 'c1', runId: 'r1' }])
})

test('a stop is repeated until it gets through, and refusals are errors', LIMIT, async (t) => {
  const server = await s.scripted(t, { delete: [s.refuses(), s.answer(503), s.answer(204), s.answer(403, { detail: 'off' })] })
  const connection = s.connect(server)
  await connection.stop()
  assert.equal(server.deletes().length, 3)
  await assert.rejects(connection.stop(), (error) => error instanceof S2AuthError && error.detail === 'off')
})

test('without stopUrl there is no stop', () => {
  const connection = s.connect({ base: 'http://localhost' }, { stopUrl: undefined })
  assert.equal('stop' in connection, false)
})

test('an accepted send ends even a wait that the server asked for', LIMIT, async (t) => {
  const server = await s.scripted(t, {
    get: [s.answer(503, {}, { 'Retry-After': '60' }), s.stays(frame(3, snapshot()))],
    post: [accepted],
  })
  const connection = s.connect(server)
  const reading = s.read(t, connection)
  await s.until('it waits', () => server.gets().length === 1)
  await s.sleep(30)
  await connection.send([user('hello')])
  await s.until('it reads', () => reading.chunks.length === 1)
})

test('the cursor sent is what every subscriber has seen', LIMIT, async (t) => {
  const server = await s.scripted(t, {
    get: [s.stays(frame(7, snapshot())), s.stays(frame(7, snapshot()), frame(9, text('a')))],
    post: [accepted],
  })
  const connection = s.connect(server)
  const behind = s.read(t, connection)
  await s.until('the first is there', () => behind.chunks.length === 1)
  const ahead = s.read(t, connection)
  await s.until('the second is ahead', () => ahead.chunks.length === 2)
  await s.sleep(10)
  await connection.send([user('hello')])
  assert.equal(server.posts()[0].body.from, 7)
})
