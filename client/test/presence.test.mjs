// Hidden tabs, and the network coming back. The clock stands still until `advance`.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { DEFAULT_TIMING } from '../dist/index.js'
import * as s from './support/scripted.mjs'
import { follow, refused, reply, settled, streaming, virtual } from './support/virtual.mjs'

const { frame, text, started, finished, snapshot, user } = s
const { hiddenAfter, hiddenAfterBusy, staleAfter } = DEFAULT_TIMING
const context = { threadId: 't', runId: 'r1' }

class Target extends EventTarget {
  listeners = 0
  addEventListener(...all) {
    this.listeners++
    super.addEventListener(...all)
  }
  removeEventListener(...all) {
    this.listeners--
    super.removeEventListener(...all)
  }
}

beforeEach(() => {
  globalThis.document = Object.assign(new Target(), { visibilityState: 'visible' })
  globalThis.window = new Target()
})
afterEach(() => {
  delete globalThis.document
  delete globalThis.window
})

const show = (visibilityState) => {
  document.visibilityState = visibilityState
  document.dispatchEvent(new Event('visibilitychange'))
}
const online = () => window.dispatchEvent(new Event('online'))

/** A keep-alive every 15 s on the last stream, for `ms`. */
async function kept(server, ms) {
  for (let left = ms; left > 0; left -= 15_000) {
    await server.advance(Math.min(left, 15_000), 500)
    const { stream, cancelled } = server.gets().at(-1)
    if (!cancelled) stream.write(': keep-alive\n\n')
  }
  await settled()
}

test('a hidden tab closes its stream after a while, costs nothing, and reads on when it is seen', async (t) => {
  const states = []
  const server = virtual(t, {
    get: [streaming(frame(3, snapshot()), frame(4, text('a'))), streaming(frame(5, text('b')))],
  })
  const connection = server.connect({ onStateChange: (state) => states.push(state) })
  const reading = s.read(t, connection)
  await settled()
  show('hidden')
  await kept(server, hiddenAfter - 100)
  assert.equal(connection.state, 'live')
  await server.advance(200)
  assert.equal(connection.state, 'paused')
  assert.equal(server.gets()[0].cancelled, true)
  online()
  await server.advance(3_600_000, 10_000)
  assert.equal(server.gets().length, 1)
  show('visible')
  await settled()
  assert.equal(reading.text(), 'ab')
  assert.equal(server.gets()[1].query.from, '4')
  assert.deepEqual(states, ['connecting', 'live', 'paused', 'connecting', 'live'])
})

test('a tab that is seen again in time keeps its stream', async (t) => {
  const server = virtual(t, { get: [streaming(frame(3, snapshot()))] })
  s.read(t, server.connect())
  await settled()
  show('hidden')
  await kept(server, hiddenAfter - 1_000)
  show('visible')
  await kept(server, 10 * hiddenAfter)
  assert.equal(server.gets().length, 1)
})

test('a hidden tab waits for a running answer, and a while longer', async (t) => {
  const server = virtual(t, { get: [streaming(frame(4, started()))] })
  const connection = server.connect()
  s.read(t, connection)
  await settled()
  show('hidden')
  await kept(server, hiddenAfterBusy - 60_000)
  assert.equal(connection.state, 'live')
  server.gets()[0].stream.write(frame(5, finished()))
  await kept(server, hiddenAfter - 100)
  assert.equal(connection.state, 'live')
  await kept(server, 200)
  assert.equal(connection.state, 'paused')
})

test('not even a running answer keeps a hidden tab for ever', async (t) => {
  const server = virtual(t, { get: [streaming(frame(4, started()))] })
  const connection = server.connect()
  s.read(t, connection)
  await settled()
  show('hidden')
  await kept(server, hiddenAfterBusy + 100)
  assert.equal(connection.state, 'paused')
})

test('a refused send does not keep a hidden tab', async (t) => {
  const server = virtual(t, { get: [streaming(frame(3, snapshot()))], post: [reply(409)] })
  const connection = server.connect()
  s.read(t, connection)
  await settled()
  show('hidden')
  await assert.rejects(connection.send([user('hello')]), { status: 409 })
  await kept(server, hiddenAfter + 100)
  assert.equal(connection.state, 'paused')
})

test('a send from a hidden, paused tab opens the stream', async (t) => {
  const server = virtual(t, {
    get: [streaming(frame(3, snapshot())), streaming(frame(4, started()), frame(5, finished()))],
    post: [reply(202)],
  })
  const connection = server.connect()
  const reading = s.read(t, connection)
  show('hidden')
  await kept(server, hiddenAfter + 100)
  assert.equal(connection.state, 'paused')
  await connection.send([user('hello')], {}, undefined, context)
  await settled()
  assert.equal(reading.types().at(-1), 'RUN_FINISHED')
  await kept(server, hiddenAfter + 100)
  assert.equal(connection.state, 'paused')
})

test('a stream that went stale while nobody looked is reopened at once, and a fresh one is not', async (t) => {
  const server = virtual(t, { get: [streaming(frame(3, snapshot())), streaming(frame(4, text('b')))] })
  const reading = s.read(t, server.connect({ timing: { hiddenAfter: Infinity } }))
  await settled()
  show('hidden')
  await server.advance(staleAfter - 100)
  show('visible')
  await settled()
  assert.equal(server.gets().length, 1)
  show('hidden')
  await server.advance(200)
  show('visible')
  await settled()
  assert.equal(reading.text(), 'b')
})

test('the network coming back ends waits, and streams from before', async (t) => {
  const server = virtual(t, {
    get: [streaming(frame(3, snapshot())), refused, streaming(frame(4, text('b')))],
    post: [refused, reply(202)],
  })
  const slow = { firstRetry: 20_000, longestRetryVisible: 20_000 }
  const connection = server.connect({ timing: slow })
  const reading = s.read(t, connection)
  await settled()
  const sending = follow(connection.send([user('hello')]))
  await settled()
  assert.equal(server.posts().length, 1)
  online()
  await settled()
  assert.equal(sending.done, true)
  assert.equal(server.posts().length, 2)
  online()
  await settled()
  assert.equal(reading.text(), 'b')
})

test('a stream broken off between two chunks of one event loses neither', async (t) => {
  const server = virtual(t, {
    get: [
      streaming(frame(3, snapshot()), frame(4, started('other'))),
      streaming(frame(9, snapshot(user('x'))), frame(10, started('later'))),
      streaming(),
    ],
  })
  const runs = []
  const controller = new AbortController()
  t.after(() => controller.abort())
  void (async () => {
    for await (const { type, runId } of server.connect().subscribe(controller.signal)) {
      if (type === 'RUN_FINISHED') online()
      if (runId) runs.push(`${type} ${runId}`)
    }
  })()
  await settled()
  server.gets()[0].stream.error()
  await server.advance(1_000)
  assert.deepEqual(runs, ['RUN_STARTED other', 'RUN_FINISHED other', 'RUN_STARTED later'])
  assert.equal(server.gets()[2].query.from, '10')
})

test('listeners are there only while somebody subscribes', async (t) => {
  const server = virtual(t, { get: [streaming(frame(3, snapshot()))] })
  const connection = server.connect()
  assert.equal(document.listeners + window.listeners, 0)
  const [one, two] = [s.read(t, connection), s.read(t, connection)]
  assert.deepEqual([document.listeners, window.listeners], [1, 1])
  one.abort()
  await one.over
  assert.deepEqual([document.listeners, window.listeners], [1, 1])
  two.abort()
  await two.over
  assert.equal(document.listeners + window.listeners, 0)
})

test('without a document, and with a window that is no event target, it just reads', async (t) => {
  delete globalThis.document
  globalThis.window = {}
  const server = virtual(t, { get: [streaming(frame(3, text('a')))] })
  const reading = s.read(t, server.connect())
  await settled()
  assert.equal(reading.text(), 'a')
})
