import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_TIMING, S2AuthError, S2ConflictError, S2StreamError, S2UnavailableError } from '../dist/index.js'
import * as s from './support/scripted.mjs'
import { endless, follow, refused, reply, settled, silent, streaming, virtual } from './support/virtual.mjs'

const { frame, text, started, finished, start, snapshot, user } = s
const SLACK = 1000
const isUnavailable = (error) => error instanceof S2UnavailableError

for (const [name, act] of [
  ['a stop', (connection) => connection.stop()],
  ['a send', (connection) => connection.send([user('hello')])],
]) {
  for (const sendDeadline of [3_000, 60_000]) {
    test(`${name} that nothing answers ends at its deadline of ${sendDeadline} ms`, async (t) => {
      const server = virtual(t, { get: [silent], post: [silent], delete: [silent] })
      const acting = follow(act(server.connect({ timing: { sendDeadline } })))
      await server.advance(sendDeadline - 100)
      assert.equal(acting.done, false)
      await server.advance(SLACK)
      assert.ok(isUnavailable(acting.error), String(acting.error))
      assert.match(acting.error.message, /got no answer/)
    })
  }

  test(`${name} fails with what the server said, though the refusal's body never ends`, async (t) => {
    const server = virtual(t, { get: [silent], post: [endless(409)], delete: [endless(403)] })
    const acting = follow(act(server.connect()))
    await server.advance(6_000)
    assert.ok(acting.error instanceof S2ConflictError || acting.error instanceof S2AuthError)
    assert.equal(acting.error.detail, undefined)
  })

  test(`${name} ends at its deadline when the server accepts now and hangs then`, async (t) => {
    const handlers = [endless(503), refused, silent]
    const server = virtual(t, { get: [silent], post: handlers, delete: handlers })
    const acting = follow(act(server.connect({ timing: { sendDeadline: 20_000 } })))
    await server.advance(20_000 + SLACK)
    assert.ok(isUnavailable(acting.error))
    assert.ok(server.requests.filter(({ method }) => method !== 'get').length >= 3)
  })

  test(`${name} ends at its deadline when the headers are never ready`, async (t) => {
    const server = virtual(t, { get: [silent], post: [reply(202)], delete: [reply(204)] })
    const acting = follow(act(server.connect({ headers: () => new Promise(() => {}), timing: { sendDeadline: 5_000 } })))
    await server.advance(5_000 + SLACK)
    assert.ok(isUnavailable(acting.error))
    assert.equal(server.requests.length, 0)
  })

  test(`${name} that may not be repeated is attempted once, and ends all the same`, async (t) => {
    const server = virtual(t, { get: [silent], post: [silent], delete: [silent] })
    const acting = follow(act(server.connect({ timing: { sendDeadline: 0 } })))
    await server.advance(DEFAULT_TIMING.stalledAfter + SLACK)
    assert.ok(isUnavailable(acting.error))
    assert.equal(server.requests.length, 1)
  })
}

test('a stop without an answer is repeated before its deadline', async (t) => {
  const server = virtual(t, { delete: [silent, reply(204)] })
  const stopping = follow(server.connect().stop())
  await server.advance(DEFAULT_TIMING.sendLostAfter + 2 * SLACK)
  assert.equal(stopping.done, true)
  assert.equal(stopping.error, undefined)
  assert.equal(server.deletes().length, 2)
})

test('a large send gets the time that it takes to upload', async (t) => {
  const server = virtual(t, { get: [silent], post: [silent] })
  const sending = follow(server.connect({ timing: { sendDeadline: 5_000 } }).send([user('x'.repeat(160_000))]))
  await server.advance(14_000)
  assert.equal(sending.done, false)
  await server.advance(2_000)
  assert.ok(isUnavailable(sending.error))
})

test('a post whose run the stream shows outlives the deadline: the server may answer it at the end', async (t) => {
  const server = virtual(t, { get: [streaming(frame(3, snapshot()))], post: [silent] })
  const connection = server.connect()
  s.read(t, connection)
  await settled()
  const sending = follow(connection.send([user('hello')], {}, undefined, { runId: 'r1' }))
  await settled()
  server.gets()[0].stream.write(frame(4, started('r1')))
  await server.advance(DEFAULT_TIMING.sendDeadline + SLACK)
  assert.equal(sending.done, true)
  assert.equal(sending.error, undefined)
  assert.equal(server.posts().length, 1)
  assert.equal(server.posts()[0].signal.aborted, false)
})

for (const [name, handler] of [
  ['headers that never come', silent],
  ['a body that never comes', streaming()],
  ['a body that stops in mid-event', streaming(frame(3, text('a')), 'id: 4\ndata: {"ty')],
]) {
  test(`a subscription does not wait for ever for ${name}`, async (t) => {
    const server = virtual(t, { get: [handler, streaming(frame(5, text('b')))] })
    const reading = s.read(t, server.connect())
    await server.advance(DEFAULT_TIMING.stalledAfter - SLACK)
    assert.equal(server.gets().length, 1)
    await server.advance(4 * SLACK)
    assert.equal(reading.text().at(-1), 'b')
    assert.equal(server.gets()[0].signal.aborted, true)
  })
}

test('a subscription is refused with its status, though the refusal has no end', async (t) => {
  const server = virtual(t, { get: [endless(401)] })
  const reading = s.read(t, server.connect())
  await server.advance(6_000)
  assert.ok(reading.error instanceof S2AuthError)
})

const single = { mode: 'single-use', subscribeUrl: undefined }

test('without subscribeUrl, a post that nothing answers ends at its deadline', async (t) => {
  const server = virtual(t, { post: [silent] })
  const next = follow(server.connect(single).connect([user('hi')]).next())
  await server.advance(DEFAULT_TIMING.sendDeadline + SLACK)
  assert.ok(isUnavailable(next.error))
})

test('without subscribeUrl, an answer that stops in mid-body ends with an error', async (t) => {
  const server = virtual(t, { post: [streaming(frame(2, started()), frame(3, start()), 'id: 4\ndata: {')] })
  const reading = follow(drain(server.connect(single)))
  await server.advance(DEFAULT_TIMING.stalledAfter + SLACK)
  assert.ok(reading.error instanceof S2StreamError)
})

async function drain(connection) {
  for await (const _ of connection.connect([user('hi')])) continue
}

test('a broken answer that cannot be read on ends within resumeDeadline, whatever the server does', async (t) => {
  for (const handler of [silent, refused, streaming(), endless(503), reply(503, {}, { 'Retry-After': '3600' })]) {
    t.mock.timers.reset()
    const server = virtual(t, { get: [reply(204), handler], post: [streaming(frame(2, started()), frame(3, start()))] })
    const connection = server.connect({ mode: 'shared' })
    s.read(t, connection)
    await settled()
    const sending = follow(connection.send([user('hi')]))
    await settled()
    server.posts()[0].stream.error()
    await server.advance(DEFAULT_TIMING.resumeDeadline + DEFAULT_TIMING.stalledAfter + SLACK)
    assert.ok(sending.error, String(handler))
  }
})

test('an answer in time leaves no timer that ends the stream', async (t) => {
  const server = virtual(t, { get: [streaming(frame(3, snapshot()))], post: [reply(202)] })
  const connection = server.connect({ timing: { stalledAfter: 600_000 } })
  const reading = s.read(t, connection)
  await settled()
  await connection.send([user('hello')], {}, undefined, { runId: 'r1' })
  server.gets()[0].stream.write(frame(4, started('r1')) + frame(5, finished('r1')))
  await server.advance(300_000, 1000)
  assert.equal(server.gets().length, 1)
  assert.equal(reading.types().at(-1), 'RUN_FINISHED')
})
