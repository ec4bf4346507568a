import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createS2Connection, runOutcome, S2AuthError, S2StreamError, S2UnavailableError } from '../dist/index.js'
import { CLIENTS, live, openTab } from './support/clients.mjs'
import * as s from './support/scripted.mjs'
import { follow, silent, virtual } from './support/virtual.mjs'

const { frame, snapshot, started, user, assistant } = s
const LIMIT = { timeout: 120_000 }
const [, Newest] = CLIENTS.at(-1)
const PENDING = [{ id: 'i1', reason: 'approval_required', toolCallId: 'c1', metadata: { kind: 'approval', toolName: 'pay', input: {} } }]
const stored = { messages: [user('Pay'), assistant('…')], activeRun: { runId: 'r1' }, interrupts: { runId: 'r1', pending: PENDING } }

/** The stored chat at /history, the stream at /stream. */
const routed = (history, stream) => (request, response) => (request.path === '/history' ? history : stream)(request, response)
const to = (server, options) => s.connect(server, { hydrateUrl: `${server.base}/history?id=c1`, ...options })

test('without hydrateUrl, a connection cannot hydrate, and asks for nothing', () => {
  assert.equal('hydrate' in s.connect({ base: 'http://localhost' }), false)
  assert.equal('joinRun' in to({ base: 'http://localhost' }), false)
  assert.throws(() => createS2Connection({ sendUrl: '/a', hydrateUrl: '/b' }), /hydrateUrl needs mode session/)
})

test('the stored chat and its pending interrupt are there before the stream is', LIMIT, async (t) => {
  const server = await s.scripted(t, { get: [routed(s.answer(200, stored), s.hangs())] })
  const tab = openTab(t, Newest, to(server), { threadId: 't1', persistence: true })
  tab.client.attach()
  tab.client.subscribe()
  await s.until('it is shown', () => tab.messages().length === 2 && tab.client.getInterrupts().length === 1)
  assert.deepEqual(server.gets().find(({ path }) => path === '/history').query, { id: 'c1', threadId: 't1' })
  assert.equal(tab.client.getIsLoading(), false, 'the stream brings the running answer')
})

test('a stored chat that comes after the stream began does not set it back', LIMIT, async (t) => {
  let late
  const history = (request, response) => (late = () => s.answer(200, stored)(request, response))
  const stream = s.stays(frame(5, snapshot(user('Pay'), assistant('…'), user('And?', 'u2'))), frame(6, started('r2')), frame(7, s.start('a2')), frame(8, s.text('So', 'a2')))
  const server = await s.scripted(t, { get: [routed(history, stream)] })
  const tab = await live(openTab(t, Newest, to(server), { threadId: 't1', persistence: true }))
  tab.client.attach()
  await s.until('the stream is shown and the history asked for', () => tab.text() === 'So' && late)
  late()
  await s.sleep(50)
  assert.equal(tab.messages().length, 4)
  assert.equal(tab.client.getInterrupts().length, 0)
})

test('older pages are fetched with their cursor and limit, whatever the stream shows', LIMIT, async (t) => {
  const page = { truncated: true, cursor: 'c7' }
  const server = await s.scripted(t, { get: [routed(s.answer(200, { ...stored, page }), s.stays(frame(1, snapshot())))] })
  const connection = to(server)
  const reading = s.read(t, connection)
  await s.until('it reads', () => reading.chunks.length === 1)
  const first = await connection.hydrate('t1', { limit: 20 })
  assert.deepEqual([first.messages, first.page, first.activeRun], [[], page, null])
  const older = await connection.hydrate('t1', { limit: 20, before: 'c7' })
  assert.equal(older.messages.length, 2)
  assert.deepEqual(server.gets().at(-1).query, { id: 'c1', threadId: 't1', limit: '20', before: 'c7' })
})

test('a history that cannot be read is an error that says why', LIMIT, async (t) => {
  for (const [handler, kind, word] of [
    [s.answer(401, { detail: 'sign in' }), S2AuthError, /sign in/],
    [s.answer(200, '<html>'), S2StreamError, /hydrateUrl/],
    [s.answer(200, { messages: 7 }), S2StreamError, /hydrateUrl/],
    [s.answer(200, 'null'), S2StreamError, /hydrateUrl/],
  ]) {
    const server = await s.scripted(t, { get: [handler] })
    await assert.rejects(to(server).hydrate('t1'), (error) => error instanceof kind && word.test(error.message))
  }
})

test('what is wrong with interrupts or page is left out', LIMIT, async (t) => {
  for (const junk of [null, 7, [], { runId: 7, pending: [] }, { truncated: true }, { truncated: true, cursor: null }]) {
    const server = await s.scripted(t, { get: [s.answer(200, { messages: [], interrupts: junk, page: junk })] })
    assert.deepEqual(await to(server).hydrate('t1'), { messages: [], activeRun: null, interrupts: null })
  }
})

test('a history that nothing answers ends', async (t) => {
  const server = virtual(t, { get: [silent] })
  const asking = follow(server.connect({ hydrateUrl: '/history' }).hydrate('t1'))
  await server.advance(46_000)
  assert.ok(asking.error instanceof S2UnavailableError)
})

test('the outcome of a run is read from its message as it is, and from nothing else', () => {
  const run = { id: 'r1', outcome: 'failed', error: 'Too long.', startedAt: 1, endedAt: 2, usage: { tokens: 3 }, more: 4 }
  assert.equal(runOutcome({ ...assistant('x'), metadata: { resumable: { run }, other: 1 } }), run)
  for (const outcome of ['finished', 'stopped', 'failed', 'lost', 'deadline']) {
    assert.equal(runOutcome({ metadata: { resumable: { run: { id: 'r', outcome } } } }).outcome, outcome)
  }
  for (const metadata of [undefined, null, 7, 'x', {}, { resumable: null }, { resumable: { run: 7 } }]) {
    assert.equal(runOutcome({ metadata }), undefined)
  }
  for (const broken of [{ outcome: 'failed' }, { id: 7, outcome: 'failed' }, { id: 'r', outcome: 'exploded' }, { id: 'r', outcome: {} }]) {
    assert.equal(runOutcome({ metadata: { resumable: { run: broken } } }), undefined)
  }
})

for (const [version, ChatClient] of CLIENTS) {
  test(`ai-client ${version}: metadata passes through untouched, in a snapshot`, LIMIT, async (t) => {
    const metadata = { resumable: { run: { id: 'r1', outcome: 'stopped' } }, own: [1] }
    const server = await s.scripted(t, { get: [s.stays(frame(5, snapshot(user('x'), { ...assistant('y'), metadata })))] })
    const tab = await live(openTab(t, ChatClient, s.connect(server)))
    await s.until('it is shown', () => tab.messages().length === 2)
    assert.deepEqual(tab.messages()[1].metadata, metadata)
    assert.equal(runOutcome(tab.messages()[1]).outcome, 'stopped')
  })
}

test('metadata of a closing TEXT_MESSAGE_END is there live', LIMIT, async (t) => {
  const metadata = { resumable: { run: { id: 'r1', outcome: 'lost' } } }
  const frames = [frame(1, started()), frame(2, s.start()), frame(3, s.text('a')), frame(4, { ...s.end(), metadata }), frame(5, s.finished())]
  const server = await s.scripted(t, { get: [s.stays(...frames)] })
  const tab = await live(openTab(t, Newest, s.connect(server)))
  await s.until('it is shown', () => runOutcome(tab.messages()[0] ?? {})?.outcome === 'lost')
})
