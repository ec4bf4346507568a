import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mergeDeltas } from '../dist/merge.js'
import { Queue } from '../dist/queue.js'
import { CLIENTS, live, openTab } from './support/clients.mjs'
import * as s from './support/scripted.mjs'
import { settled, streaming, virtual } from './support/virtual.mjs'

const { frame, started, finished, snapshot, start, text, end } = s
const args = (delta, toolCallId = 'c1') => ({ type: 'TOOL_CALL_ARGS', toolCallId, delta })
const thought = (delta, messageId = 't1') => ({ type: 'REASONING_MESSAGE_CONTENT', messageId, delta })

test('deltas of one target merge, whatever their kind, and keep the first time', () => {
  assert.deepEqual(mergeDeltas(text('a'), text('b')), text('ab'))
  assert.deepEqual(mergeDeltas(args('{"a'), args('":1}')), args('{"a":1}'))
  assert.deepEqual(mergeDeltas(thought('x'), thought('')), thought('x'))
  assert.deepEqual(mergeDeltas({ ...text('a'), timestamp: 1 }, { ...text('b'), timestamp: 2 }), { ...text('ab'), timestamp: 1 })
  assert.equal(mergeDeltas(text('\ud83d'), text('\ude00')).delta, '😀')
})

test('nothing else merges', () => {
  for (const [one, two] of [
    [text('a'), text('b', 'other')],
    [text('a'), thought('b', 'a1')],
    [text('a'), { ...text('b'), metadata: {} }],
    [{ ...text('a'), content: 'a' }, text('b')],
    [{ ...text('a'), rawEvent: {} }, text('b')],
    [text('a'), { ...text('b'), runId: 'r' }],
    [text('a'), { ...text('b'), delta: 7 }],
    [text(null), text('b')],
    [{ type: 'TEXT_MESSAGE_CONTENT', delta: 'a' }, { type: 'TEXT_MESSAGE_CONTENT', delta: 'b' }],
    [{ ...args('a'), toolCallId: {} }, { ...args('b'), toolCallId: {} }],
    [start(), start()],
    [end(), end()],
    [{ type: 'constructor', delta: 'a' }, { type: 'constructor', delta: 'b' }],
    [JSON.parse('{"type":"TEXT_MESSAGE_CONTENT","messageId":"a1","delta":"a","__proto__":{"x":1}}'), text('b')],
    [{ type: 7 }, { type: 7 }],
  ]) {
    assert.equal(mergeDeltas(one, two), undefined, JSON.stringify([one, two]))
  }
})

test('the queue merges what waits, counts with the last cursor, and changes no chunk of others', async () => {
  const queue = new Queue()
  const first = Object.freeze(text('a'))
  for (const [cursor, chunk] of [[1, first], [2, text('b')], [undefined, text('c')], [4, end()], [5, text('d')]]) void queue.push({ chunk, cursor })
  queue.end()
  const items = []
  for await (const item of queue.read()) items.push(item)
  assert.deepEqual(items, [
    { chunk: text('abc'), cursor: 2 },
    { chunk: end(), cursor: 4 },
    { chunk: text('d'), cursor: 5 },
  ])
  assert.equal(first.delta, 'a')
})

test('the queue is bounded by characters, too, merged or not', async () => {
  const queue = new Queue()
  let pushed = 0
  const pushing = (async () => {
    for (; pushed < 100; pushed++) await queue.push({ chunk: text('x'.repeat(100_000)), cursor: pushed })
    queue.end()
  })()
  await settled()
  assert.ok(pushed < 12, `${pushed} were taken`)
  let length = 0
  for await (const { chunk } of queue.read()) length += chunk.delta.length
  await pushing
  assert.equal(length, 10_000_000)
})

const DELTAS = Array.from({ length: 5000 }, (_, index) => `${index} `)
const burst = () => DELTAS.map((delta, index) => frame(10 + index, text(delta))).join('')

for (const [version, ChatClient] of CLIENTS) {
  test(`ai-client ${version}: a burst of 5,000 deltas costs few chunks and shows the same`, { timeout: 120_000 }, async (t) => {
    const server = await s.scripted(t, { get: [s.stays(frame(1, snapshot()), frame(2, started()), frame(3, start()))] })
    let chunks = 0
    const tab = await live(openTab(t, ChatClient, s.connect(server), { onChunk: () => chunks++ }))
    server.gets()[0].response.write(burst() + frame(6000, end()) + frame(6001, finished()))
    await s.until('all is there', () => tab.text() === DELTAS.join('') && !tab.client.getSessionGenerating())
    assert.ok(chunks < DELTAS.length / 5, `${chunks} chunks`)
  })
}

test('a consumer that takes its time gets everything, in order, with few chunks', async (t) => {
  const server = virtual(t, { get: [streaming(frame(1, snapshot()), frame(2, started()), frame(3, start()))] })
  const controller = new AbortController()
  const seen = []
  const reading = (async () => {
    for await (const chunk of server.connect().subscribe(controller.signal)) {
      seen.push(chunk)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  })()
  await settled()
  const { stream } = server.gets()[0]
  for (const delta of DELTAS.slice(0, 1000)) stream.write(frame(10 + seen.length + DELTAS.indexOf(delta), text(delta)))
  stream.write(frame(7000, end()) + frame(7001, finished()))
  await server.advance(2_000)
  assert.equal(seen.map(({ delta }) => delta ?? '').join(''), DELTAS.slice(0, 1000).join(''))
  assert.ok(seen.length < 12, `${seen.length} chunks`)
  assert.equal(seen.at(-1).type, 'RUN_FINISHED')
  controller.abort()
  await reading
})

test('a chunk that waits is not shown yet: the cursor sent is of what the consumer has', async (t) => {
  const server = virtual(t, { get: [streaming(frame(1, snapshot()))], post: [() => Promise.resolve(new Response(null, { status: 202 }))] })
  const connection = server.connect()
  const stream = connection.subscribe(new AbortController().signal)
  await stream.next()
  server.gets()[0].stream.write(frame(2, started()) + frame(3, text('a')) + frame(4, text('b')) + frame(5, end()))
  await settled()
  await connection.send([s.user('x')])
  await stream.next()
  await connection.send([s.user('y')])
  assert.equal((await stream.next()).value.delta, 'ab')
  await connection.send([s.user('z')])
  assert.deepEqual(server.posts().map(({ body }) => body.from), [1, 2, 4])
  await stream.return()
})
