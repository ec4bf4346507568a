import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_TIMING, createS2Connection } from '../dist/index.js'
import { Delivery } from '../dist/delivery.js'
import { OwnRuns } from '../dist/own-runs.js'
import { readEvents, Stalled } from '../dist/events.js'
import { Queue } from '../dist/queue.js'
import { withParameter } from '../dist/requests.js'
import { newRunId } from '../dist/sending.js'
import { Status } from '../dist/status.js'
import { after, backoff, parseRetryAfter, sleep } from '../dist/timing.js'
import { assistant, finished, snapshot, start, started, text, user } from './support/scripted.mjs'

test('options that do not fit together are refused with what to do', () => {
  assert.throws(() => createS2Connection({ mode: 'session', sendUrl: '/a' }), /needs subscribeUrl/)
  assert.throws(() => createS2Connection({ mode: 'sesion', sendUrl: '/a' }), /must be single-use, shared or session/)
  assert.throws(() => createS2Connection({}), /sendUrl is missing/)
})

test('the wait doubles up to the longest, and its upper half is random', () => {
  const at = (failures, random) => backoff(failures, DEFAULT_TIMING, undefined, () => random)
  assert.deepEqual([1, 2, 3, 7, 8, 1000].map((failures) => at(failures, 1)), [500, 1000, 2000, 30000, 30000, 30000])
  assert.deepEqual([1, 2].map((failures) => at(failures, 0)), [250, 500])
})

test('Retry-After is seconds or an HTTP date, and nothing else', () => {
  const now = Date.parse('Sun, 06 Nov 1994 08:49:37 GMT')
  assert.equal(parseRetryAfter('7'), 7000)
  assert.equal(parseRetryAfter(' 0 '), 0)
  assert.equal(parseRetryAfter('Sun, 06 Nov 1994 08:49:40 GMT', now), 3000)
  assert.equal(parseRetryAfter('Sun, 06 Nov 1994 08:49:30 GMT', now), 0)
  for (const junk of [null, '', '-1', '1.5', 'soon', 'Someday, soon']) assert.equal(parseRetryAfter(junk, now), undefined)
})

test('waits end early at the signal, and Infinity is never', async () => {
  const controller = new AbortController()
  const waiting = sleep(60_000, controller.signal)
  controller.abort()
  assert.equal(await waiting, false)
  assert.equal(await sleep(1), true)
  after(Infinity, () => assert.fail('never'))()
  let called = false
  const clear = after(10 ** 12, () => (called = true))
  await sleep(5)
  clear()
  assert.equal(called, false)
})

test('parameters are set on URLs of any form', () => {
  assert.equal(withParameter('/r', 'from', 7), '/r?from=7')
  assert.equal(withParameter('/r?id=a%20b', 'from', 0), '/r?id=a+b&from=0')
  assert.equal(withParameter('https://x.test/r?from=1&id=2#top', 'from', 7), 'https://x.test/r?from=7&id=2#top')
  assert.equal(withParameter('r', 'from', undefined), 'r')
})

const bodyOf = (parts) =>
  new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(part)
      controller.close()
    },
  })

async function events(...parts) {
  const all = []
  for await (const event of readEvents(bodyOf(parts), 1000)) all.push(event)
  return all
}

test('events are read whatever the line ends and however the bytes are split', async () => {
  const wire = Buffer.from(
    ': open\r\n\r\nid: 4\r\ndata: {"type":"A","x":"ü🙂"}\r\n\r\nevent: x\nid: 5\ndata: {"type":\ndata: "B"}\n\nid:6\ndata:{"type":"C"}\n\n',
  )
  const whole = await events(wire)
  assert.deepEqual(whole, [
    { cursor: 4, chunk: { type: 'A', x: 'ü🙂' } },
    { cursor: 5, chunk: { type: 'B' } },
    { cursor: 6, chunk: { type: 'C' } },
  ])
  for (let at = 1; at < wire.length; at++) {
    assert.deepEqual(await events(wire.subarray(0, at), wire.subarray(at)), whole, `split at ${at}`)
  }
  assert.deepEqual(await events(...[...wire].map((byte) => Uint8Array.of(byte))), whole)
})

test('an event that the end of the body cut off is left out', async () => {
  const wire = Buffer.from('id: 4\ndata: {"type":"A"}\n\n')
  for (let at = 0; at < wire.length; at++) assert.deepEqual(await events(wire.subarray(0, at)), [])
})

test('ids that are no cursors, and data that is no chunk, are seen as such', async () => {
  const read = await events(Buffer.from('id: x7\ndata: {"type":"A"}\n\nid: 8\ndata: [1]\n\nid: 9\ndata:\n\nid: 99999999999999999\ndata: {"type":1}\n\n'))
  assert.deepEqual(read, [
    { cursor: undefined, chunk: { type: 'A' } },
    { cursor: 8, chunk: undefined },
    { cursor: 9, chunk: undefined },
    { cursor: undefined, chunk: undefined },
  ])
})

test('a body without bytes for too long is stalled, and let go of', async () => {
  let cancelled = false
  const body = new ReadableStream({ cancel: () => void (cancelled = true) })
  await assert.rejects(readEvents(body, 20).next(), Stalled)
  await sleep(1)
  assert.equal(cancelled, true)
})

test('a slow reader does not stall a body: only waiting for bytes counts', async () => {
  const all = readEvents(bodyOf([Buffer.from('data: {"type":"A"}\n\n'), Buffer.from('data: {"type":"B"}\n\n')]), 30)
  const kinds = []
  for await (const { chunk } of all) {
    kinds.push(chunk.type)
    await sleep(60)
  }
  assert.deepEqual(kinds, ['A', 'B'])
})

test('the queue is bounded, and keeps the order', async () => {
  const queue = new Queue()
  let pushed = 0
  const pushing = (async () => {
    for (let cursor = 0; cursor < 1000; cursor++) {
      await queue.push({ cursor, chunk: finished() })
      pushed++
    }
    queue.fail(new Error('over'))
  })()
  await sleep(5)
  assert.ok(pushed < 300)
  const read = []
  await assert.rejects(async () => {
    for await (const { cursor } of queue.read()) read.push(cursor)
  }, /over/)
  await pushing
  assert.deepEqual(read, Array.from({ length: 1000 }, (_, index) => index))
})

test('closing the queue lets everybody go', async () => {
  const queue = new Queue()
  const pushing = Promise.all(Array.from({ length: 500 }, (_, cursor) => queue.push({ cursor, chunk: finished() })))
  queue.close()
  await pushing
  assert.equal((await queue.read().next()).done, true)
})

test('the connection shows the most noticeable state of its subscriptions', () => {
  const told = []
  const status = new Status((state) => told.push(state))
  const [one, two] = [{}, {}]
  status.set(one, { state: 'connecting' })
  status.set(two, { state: 'live' })
  status.set(one, { state: 'live' })
  status.set(one, { state: 'reconnecting' })
  status.set(one, { state: 'failed' })
  status.leave(one)
  status.leave(two)
  assert.deepEqual(told, ['connecting', 'live', 'reconnecting', 'live', 'paused'])
  status.set(one, { state: 'failed' })
  status.leave(one)
  assert.equal(status.current.state, 'failed')
  status.set(two, { state: 'connecting' })
  assert.equal(status.current.state, 'connecting')
})

test('run ids differ, also without crypto', () => {
  const own = Object.getOwnPropertyDescriptor(globalThis, 'crypto')
  Object.defineProperty(globalThis, 'crypto', { value: undefined, configurable: true })
  try {
    const ids = new Set(Array.from({ length: 1000 }, newRunId))
    assert.equal(ids.size, 1000)
    assert.ok([...ids].every((id) => /^run-[a-z0-9-]{20,}$/.test(id)))
  } finally {
    Object.defineProperty(globalThis, 'crypto', own)
  }
})

const kinds = (chunks) => chunks.map((chunk) => chunk.runId ?? chunk.type)

test('delivery: a run seen to its end owes nothing', () => {
  const delivery = new Delivery(new OwnRuns())
  delivery.expect('r1', 'u1')
  delivery.accept('r1')
  assert.equal(delivery.overdue, true)
  delivery.feed(start('u1', 'user'))
  assert.equal(delivery.overdue, false)
  delivery.feed(started('r1'))
  assert.equal(delivery.openRun, 'r1')
  delivery.feed(finished('r1'))
  assert.equal(delivery.busy, false)
  assert.equal(delivery.doubt, undefined)
})

test('delivery: a live turn snapshot of the own message ends nothing', () => {
  const delivery = new Delivery(new OwnRuns())
  delivery.asked()
  delivery.feed(snapshot())
  delivery.expect('r1', 'u1')
  delivery.accept('r1')
  delivery.feed(snapshot(user('x', 'u1')))
  assert.equal(delivery.overdue, false)
  assert.equal(delivery.doubt, undefined)
  assert.equal(delivery.busy, true)
})

test('delivery: a snapshot asked for before the send was accepted proves nothing', () => {
  const delivery = new Delivery(new OwnRuns())
  delivery.expect('r1', 'u1')
  delivery.asked()
  delivery.accept('r1')
  delivery.feed(snapshot(user('x', 'u1'), assistant('the old answer')))
  assert.equal(delivery.doubt, undefined)
  assert.equal(delivery.overdue, true)
})

test('delivery: asked for after it, an answer behind the own message is the end of the run', () => {
  const delivery = new Delivery(new OwnRuns())
  delivery.expect('r1', 'u1')
  delivery.accept('r1')
  delivery.asked()
  assert.deepEqual(kinds(delivery.feed(snapshot(user('x', 'u1'), assistant('done')))), ['MESSAGES_SNAPSHOT'])
  assert.equal(delivery.doubt, 'shown')
  assert.deepEqual(kinds(delivery.feed(started('r2'))), ['r1', 'r2'])
  assert.equal(delivery.openRun, 'r2')
})

test('delivery: RUN_ERROR without an id ends every run', () => {
  const delivery = new Delivery(new OwnRuns())
  delivery.feed(started('a'))
  delivery.feed(started('b'))
  delivery.feed({ type: 'RUN_ERROR', message: 'x' })
  assert.equal(delivery.busy, false)
})

test('delivery: a run whose ids are the server\'s own settles the send all the same', () => {
  const delivery = new Delivery(new OwnRuns())
  delivery.expect('mine', 'u1')
  delivery.accept('mine')
  delivery.feed(started('theirs'))
  delivery.feed(text('a'))
  delivery.feed(finished('theirs'))
  assert.equal(delivery.busy, false)
})

test('delivery: a withdrawn send is owed nothing', () => {
  const delivery = new Delivery(new OwnRuns())
  delivery.expect('r1', 'u1')
  delivery.accept('r1')
  delivery.asked()
  delivery.feed(snapshot(user('x', 'u1'), assistant('done')))
  delivery.withdraw('r1')
  assert.equal(delivery.doubt, undefined)
  assert.deepEqual(kinds(delivery.feed(text('a'))), ['TEXT_MESSAGE_CONTENT'])
})
