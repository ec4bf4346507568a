import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import * as s from './support/scripted.mjs'

const { frame, text, started, finished, snapshot, user } = s
const LIMIT = { timeout: 30_000 }
const HIDING = { hiddenAfter: 120, hiddenAfterBusy: 600, staleAfter: 150 }

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
const isOpen = (server) => server.gets().at(-1)?.open === true

test('a hidden tab closes its stream after a while, costs nothing, and reads on when it is seen', LIMIT, async (t) => {
  const states = []
  const server = await s.scripted(t, {
    get: [s.stays(frame(3, snapshot()), frame(4, text('a'))), s.stays(frame(5, text('b')))],
  })
  const connection = s.connect(server, { timing: HIDING, onStateChange: (state) => states.push(state) })
  const reading = s.read(t, connection)
  await s.until('it is live', () => reading.text() === 'a')
  show('hidden')
  await s.sleep(60)
  assert.equal(isOpen(server), true)
  await s.until('it is paused', () => connection.state === 'paused')
  await s.until('the stream is closed', () => !isOpen(server))
  window.dispatchEvent(new Event('online'))
  await s.sleep(300)
  assert.equal(server.gets().length, 1)
  show('visible')
  await s.until('it reads on', () => reading.text() === 'ab')
  assert.equal(server.gets()[1].query.from, '4')
  assert.deepEqual(states, ['connecting', 'live', 'paused', 'connecting', 'live'])
})

test('a tab that is seen again in time keeps its stream', LIMIT, async (t) => {
  const server = await s.scripted(t, { get: [s.stays(frame(3, snapshot()))] })
  const reading = s.read(t, s.connect(server, { timing: { ...HIDING, staleAfter: 10_000 } }))
  await s.until('it is live', () => reading.chunks.length === 1)
  show('hidden')
  await s.sleep(60)
  show('visible')
  await s.sleep(250)
  assert.equal(server.gets().length, 1)
  assert.equal(isOpen(server), true)
})

test('a hidden tab waits for a running answer, and a while longer', LIMIT, async (t) => {
  let stream
  const server = await s.scripted(t, {
    get: [(request, response) => (s.open(response), (stream = response).write(frame(4, started())))],
  })
  const connection = s.connect(server, { timing: HIDING })
  const reading = s.read(t, connection)
  await s.until('the run is seen', () => reading.chunks.length === 1)
  show('hidden')
  await s.sleep(300)
  assert.equal(connection.state, 'live')
  stream.write(frame(5, finished()))
  await s.sleep(50)
  assert.equal(connection.state, 'live')
  await s.until('it is paused', () => connection.state === 'paused')
})

test('not even a running answer keeps a hidden tab for ever', LIMIT, async (t) => {
  const server = await s.scripted(t, { get: [s.stays(frame(4, started()))] })
  const connection = s.connect(server, { timing: { ...HIDING, hiddenAfterBusy: 250 } })
  s.read(t, connection)
  await s.until('it is live', () => connection.state === 'live')
  show('hidden')
  await s.until('it is paused', () => connection.state === 'paused')
})

test('a refused send does not keep a hidden tab', LIMIT, async (t) => {
  const server = await s.scripted(t, { get: [s.stays(frame(3, snapshot()))], post: [s.answer(409)] })
  const connection = s.connect(server, { timing: { ...HIDING, hiddenAfterBusy: 60_000 } })
  s.read(t, connection)
  await s.until('it is live', () => connection.state === 'live')
  show('hidden')
  await assert.rejects(connection.send([user('hello')]), { status: 409 })
  await s.until('it is paused', () => connection.state === 'paused')
})

test('a send from a hidden, paused tab opens the stream', LIMIT, async (t) => {
  const server = await s.scripted(t, {
    get: [s.stays(frame(3, snapshot())), s.stays(frame(4, started()), frame(5, finished()))],
    post: [s.answer(202)],
  })
  const connection = s.connect(server, { timing: HIDING })
  const reading = s.read(t, connection)
  show('hidden')
  await s.until('it is paused', () => connection.state === 'paused')
  await connection.send([user('hello')], {}, undefined, { threadId: 't', runId: 'r1' })
  await s.until('the run is there', () => reading.types().includes('RUN_FINISHED'))
  await s.until('it is paused again', () => connection.state === 'paused')
})

test('a stream that went stale while nobody looked is opened again at once', LIMIT, async (t) => {
  const server = await s.scripted(t, { get: [s.stays(frame(3, snapshot())), s.stays(frame(4, text('b')))] })
  const reading = s.read(t, s.connect(server, { timing: { ...HIDING, hiddenAfter: Infinity } }))
  await s.until('it is live', () => reading.chunks.length === 1)
  show('hidden')
  await s.sleep(200)
  show('visible')
  await s.until('it reads on', () => reading.text() === 'b')
})

test('the network coming back ends waits, and streams from before', LIMIT, async (t) => {
  const server = await s.scripted(t, {
    get: [s.stays(frame(3, snapshot())), s.refuses(), s.stays(frame(4, text('b')))],
    post: [s.refuses(), s.answer(202)],
  })
  const slow = { firstRetry: 20_000, longestRetry: 20_000, longestRetryVisible: 20_000, sendDeadline: 60_000 }
  const connection = s.connect(server, { timing: slow })
  const reading = s.read(t, connection)
  await s.until('it is live', () => reading.chunks.length === 1)
  const sending = connection.send([user('hello')])
  await s.until('it was posted', () => server.posts().length === 1)
  await s.sleep(30)
  window.dispatchEvent(new Event('online'))
  await sending
  await s.until('it was asked again', () => server.gets().length >= 2)
  window.dispatchEvent(new Event('online'))
  await s.until('it reads on', () => reading.text() === 'b')
})

test('a stream broken off between two chunks of one event loses neither', LIMIT, async (t) => {
  const server = await s.scripted(t, {
    get: [
      s.breaks(frame(3, snapshot()), frame(4, started('other'))),
      s.stays(frame(9, snapshot(user('x'))), frame(10, started('later'))),
      s.stays(),
    ],
  })
  const runs = []
  const controller = new AbortController()
  t.after(() => controller.abort())
  void (async () => {
    for await (const { type, runId } of s.connect(server).subscribe(controller.signal)) {
      if (type === 'RUN_FINISHED') window.dispatchEvent(new Event('online'))
      if (runId) runs.push(`${type} ${runId}`)
    }
  })()
  await s.until('it was opened anew', () => server.gets().length === 3)
  assert.deepEqual(runs, ['RUN_STARTED other', 'RUN_FINISHED other', 'RUN_STARTED later'])
  assert.equal(server.gets()[2].query.from, '10')
})

test('listeners are there only while somebody subscribes', LIMIT, async (t) => {
  const server = await s.scripted(t, { get: [s.stays(frame(3, snapshot()))] })
  const connection = s.connect(server)
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

test('without a document, and with a window that is no event target, it just reads', LIMIT, async (t) => {
  delete globalThis.document
  globalThis.window = {}
  const server = await s.scripted(t, { get: [s.stays(frame(3, text('a')))] })
  const reading = s.read(t, s.connect(server, { timing: HIDING }))
  await s.until('it reads', () => reading.text() === 'a')
})
