// When the next attempt comes, and what the app can see and do about it.
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { CLIENTS, openTab } from './support/clients.mjs'
import * as s from './support/scripted.mjs'
import { follow, refused, reply, settled, silent, streaming, virtual } from './support/virtual.mjs'

const { frame, text, snapshot, started, user } = s

function page(visibilityState) {
  globalThis.document = Object.assign(new EventTarget(), { visibilityState })
}
const show = (visibilityState) => {
  document.visibilityState = visibilityState
  document.dispatchEvent(new Event('visibilitychange'))
}
afterEach(() => delete globalThis.document)

/** A server that is away from `down` to `up`. */
const outage = (state) => (request) => (state.up ? streaming(frame(5, text('b')))(request) : refused())

for (const length of [3_000, 61_000, 600_000]) {
  test(`a visible tab reads on within 2 s of the return of a server that was away for ${length} ms`, async (t) => {
    page('visible')
    const state = { up: false }
    const server = virtual(t, { get: [streaming(frame(3, snapshot()), frame(4, text('a'))), outage(state)] })
    const reading = s.read(t, server.connect())
    await settled()
    server.gets()[0].stream.error()
    await server.advance(length, 100)
    assert.equal(reading.text(), 'a')
    state.up = true
    await server.advance(1_900)
    assert.equal(reading.text(), 'ab')
    assert.ok(server.gets().length < 5 + length / 700, `${server.gets().length} attempts`)
  })
}

test('a hidden tab asks a server that is away more and more seldom, and at once when it is seen', async (t) => {
  page('hidden')
  const state = { up: false }
  const server = virtual(t, { get: [outage(state)] })
  const reading = s.read(t, server.connect({ timing: { hiddenAfter: Infinity } }))
  await server.advance(600_000, 200)
  assert.ok(server.gets().length < 60, `${server.gets().length} attempts`)
  state.up = true
  show('visible')
  await server.advance(50)
  assert.equal(reading.text(), 'b')
})

test('a send waits no longer than the stream: a server that is back gets it at once', async (t) => {
  page('visible')
  const state = { up: false }
  const server = virtual(t, {
    get: [outage(state)],
    post: [() => (state.up ? reply(202)() : refused())],
  })
  const connection = server.connect({ timing: { sendDeadline: 600_000 } })
  s.read(t, connection)
  const sending = follow(connection.send([user('hello')]))
  await server.advance(120_000, 100)
  state.up = true
  await server.advance(1_900)
  assert.equal(sending.done, true)
  assert.equal(sending.error, undefined)
})

test('a stream that opens takes a waiting send and a waiting stop along', async (t) => {
  page('hidden')
  const server = virtual(t, { get: [refused, streaming(frame(3, snapshot()))], post: [refused, reply(202)], delete: [refused, reply(204)] })
  const slow = { firstRetry: 50_000, longestRetry: 50_000, longestRetryVisible: 50_000 }
  const connection = server.connect({ timing: slow })
  s.read(t, connection)
  const acting = [follow(connection.send([user('x')])), follow(connection.stop())]
  await settled()
  assert.deepEqual(acting.map(({ done }) => done), [false, false])
  show('visible')
  await settled()
  assert.deepEqual(acting.map(({ done, error }) => [done, error]), [[true, undefined], [true, undefined]])
})

test('reconnect() tries at once, however long the wait, and also what the server asked to wait for', async (t) => {
  for (const handler of [refused, reply(503, {}, { 'Retry-After': '100' }), silent]) {
    t.mock.timers.reset()
    const server = virtual(t, { get: [handler, streaming(frame(5, text('b')))], post: [refused, reply(202)], delete: [reply(502), reply(204)] })
    const connection = server.connect({ timing: { firstRetry: 50_000, longestRetryVisible: 50_000 } })
    const reading = s.read(t, connection)
    const acting = [follow(connection.send([user('x')])), follow(connection.stop())]
    await server.advance(3_000)
    assert.equal(reading.text(), '')
    connection.reconnect()
    await server.advance(1)
    assert.equal(reading.text(), 'b')
    assert.equal(connection.state, 'live')
    for (const { done, error } of acting) assert.deepEqual([done, error], [true, undefined])
    reading.abort()
    await reading.over
  }
})

test('reconnect() leaves an open stream alone, and does nothing without a subscription', async (t) => {
  const server = virtual(t, { get: [streaming(frame(3, snapshot()))] })
  const connection = server.connect()
  connection.reconnect()
  s.read(t, connection)
  await settled()
  connection.reconnect()
  await server.advance(5_000)
  assert.equal(server.gets().length, 1)
})

test('the status says why, and when the next attempt comes; watchers hear of every change', async (t) => {
  const server = virtual(t, {
    get: [streaming(frame(3, snapshot())), refused, reply(503, { detail: 'The log is away.' }, { 'Retry-After': '20' }), silent, reply(403, { detail: 'no' })],
  })
  const seen = []
  const connection = server.connect()
  const unwatch = connection.watch(() => seen.push(connection.status))
  const reading = s.read(t, connection)
  await settled()
  server.gets()[0].stream.error()
  await server.advance(4_000)
  const { state, reason, retryAt } = connection.status
  assert.equal(connection.status, connection.status)
  assert.deepEqual([state, reason.status, reason.detail], ['reconnecting', 503, 'The log is away.'])
  assert.ok(retryAt > Date.now() + 15_000 && retryAt <= Date.now() + 20_000, String(retryAt - Date.now()))
  connection.reconnect()
  await settled()
  assert.deepEqual([connection.status.state, connection.status.retryAt], ['reconnecting', undefined])
  connection.reconnect()
  await settled()
  assert.deepEqual([connection.status.state, connection.status.reason.detail], ['failed', 'no'])
  assert.equal(reading.error, connection.status.reason)
  assert.deepEqual([...new Set(seen.map((one) => one.state))], ['connecting', 'live', 'reconnecting', 'failed'])
  for (const [index, one] of seen.slice(1).entries()) assert.notDeepEqual(one, seen[index])
  unwatch()
  const before = seen.length
  s.read(t, connection)
  await settled()
  assert.equal(seen.length, before)
})

test('a watcher may be added twice, and may leave while it is called', async (t) => {
  const server = virtual(t, { get: [streaming(frame(3, snapshot()))] })
  const connection = server.connect()
  let calls = 0
  const watcher = () => (calls++, first())
  const first = connection.watch(watcher)
  const second = connection.watch(watcher)
  s.read(t, connection)
  await settled()
  assert.equal(calls, 3, 'both at connecting, one at live')
  second()
  first()
})

for (const [version, ChatClient] of CLIENTS) {
  test(`ai-client ${version}: reload() right after sendMessage() posts a cursor that covers the whole answer`, { timeout: 120_000 }, async (t) => {
    const server = await s.scripted(t, {
      get: [s.stays(frame(1, snapshot()))],
      post: [
        (request, response, n) => {
          s.answer(202)(request, response)
          const at = n * 10
          const { messages, runId } = request.body
          const chunks = [snapshot(...messages), started(runId), s.start(`a${n}`), text('Hi', `a${n}`), s.end(`a${n}`), s.finished(runId)]
          server.gets()[0].response.write(chunks.map((chunk, index) => frame(at + index, chunk)).join(''))
        },
      ],
    })
    const tab = openTab(t, ChatClient, s.connect(server))
    await tab.client.sendMessage('hello')
    await tab.client.reload()
    await tab.client.reload()
    assert.deepEqual(server.posts().slice(1).map(({ body }) => body.from), [15, 25])
    assert.deepEqual(tab.errors, [])
  })
}
