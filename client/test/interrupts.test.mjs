// Interrupts that wait for an answer: after a reload, in other tabs, and on the way to the server.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Delivery } from '../dist/delivery.js'
import { OwnRuns } from '../dist/own-runs.js'
import { CLIENTS, live, openTab } from './support/clients.mjs'
import * as s from './support/scripted.mjs'

const { frame, started, finished, snapshot, user, start, text, end } = s
const LIMIT = { timeout: 120_000 }
const [, Newest] = CLIENTS.at(-1)
const [, Oldest] = CLIENTS[0]

const call = (state, more = {}) => ({ type: 'tool-call', id: 'c1', name: 'pay', arguments: '{"eur":5}', state, ...more })
const asking = { id: 'a1', role: 'assistant', parts: [call('approval-requested', { approval: { id: 'i1', needsApproval: true } })] }
const interrupted = (runId = 'r1') => ({
  ...finished(runId),
  outcome: {
    type: 'interrupt',
    interrupts: [
      {
        id: 'i1',
        reason: 'approval_required',
        message: 'Pay 5 EUR?',
        toolCallId: 'c1',
        metadata: { kind: 'approval', toolName: 'pay', input: { eur: 5 } },
      },
    ],
  },
})
const pending = [frame(9, snapshot(user('Pay'), asking)), frame(undefined, interrupted())]
const tools = [{ __toolSide: 'server', name: 'pay', description: 'Pays', needsApproval: true }]
const open = (t, server, options = {}, Client = Newest) => live(openTab(t, Client, s.connect(server, options), { tools }))
const isPending = (tab) => tab.client.getInterrupts().length === 1
const continued = (runId, parentRunId) => [
  frame(20, snapshot(user('Pay'), asking)),
  frame(21, { ...started(runId), ...(parentRunId ? { parentRunId } : {}) }),
  frame(22, start('a2')),
  frame(23, text('Paid.', 'a2')),
  frame(24, end('a2')),
  frame(25, finished(runId)),
]

for (const [where, frames] of [
  ['without an id', pending],
  ["with the snapshot's id", [pending[0], frame(9, interrupted())]],
  ['with an id of its own', [pending[0], frame(10, interrupted())]],
]) {
  test(`a pending interrupt that the replay repeats ${where} is there after a reload, and can be answered`, LIMIT, async (t) => {
    const server = await s.scripted(t, { get: [s.stays(...frames)], post: [s.answer(202)] })
    const tab = await open(t, server)
    await s.until('it is shown', () => isPending(tab))
    const [interrupt] = tab.client.getInterrupts()
    assert.equal(interrupt.canResolve, true)
    assert.equal(tab.client.getSessionGenerating(), false)
    await assert.rejects(tab.client.sendMessage('Another'), /pending interrupts/)

    interrupt.resolveInterrupt({ approved: true })
    await s.until('it is posted', () => server.posts().length === 1)
    const { body } = server.posts()[0]
    assert.equal(body.parentRunId, 'r1')
    assert.deepEqual(body.resume, [{ interruptId: 'i1', status: 'resolved', payload: { approved: true } }])
    assert.deepEqual(body.tools.map(({ name }) => name), ['pay'])
    server.gets()[0].response.write(continued(body.runId, 'r1').join(''))
    await s.until('it is over', () => tab.text() === 'Paid.' && !tab.client.getIsLoading())
    assert.equal(tab.client.getInterrupts().length, 0)
    assert.deepEqual(tab.errors, [])
  })
}

test('ai-client 0.8 shows the approval after a reload by the state of its part, and is not disturbed', LIMIT, async (t) => {
  const server = await s.scripted(t, { get: [s.stays(...pending)] })
  const tab = await open(t, server, {}, Oldest)
  await s.until('it is shown', () => tab.messages().at(-1)?.parts[0]?.state === 'approval-requested')
  assert.equal(tab.client.getStatus(), 'ready')
  assert.deepEqual(tab.errors, [])
})

for (const [how, parent, gap] of [
  ['live, when the server names the parent run', 'r1', false],
  ['live, when it does not', undefined, false],
  ['while tab b was away, and gets a snapshot', 'r1', true],
]) {
  test(`an interrupt answered in tab a does not block tab b: ${how}`, LIMIT, async (t) => {
    const server = await s.scripted(t, {
      get: [s.stays(frame(1, snapshot(user('Pay'))), frame(2, started('r1')), frame(3, start()), frame(4, interrupted()))],
      post: [s.answer(202)],
    })
    const [a, b] = [await open(t, server), await open(t, server)]
    await s.until('both show it', () => isPending(a) && isPending(b))
    const rest = (runId) => continued(runId, parent)
    if (gap) {
      const all = snapshot(user('Pay'), asking, { id: 'a2', role: 'assistant', parts: [{ type: 'text', content: 'Paid.' }] })
      server.script.get = [s.stays(frame(30, all))]
      server.gets()[1].response.destroy()
    }
    a.client.getInterrupts()[0].resolveInterrupt({ approved: true })
    await s.until('it is posted', () => server.posts().length === 1)
    const { runId } = server.posts()[0].body
    for (const { response, open: isOpen } of server.gets().slice(0, gap ? 1 : 2)) if (isOpen) response.write(rest(runId).join(''))
    await s.until('both show the answer', () => a.text() === 'Paid.' && b.text() === 'Paid.' && !a.client.getIsLoading())
    await s.until('b is free', () => b.client.getInterrupts().length === 0)
    assert.equal(a.client.getInterrupts().length, 0)
    const sending = b.client.sendMessage('Thanks').catch(() => {})
    await s.until('b sends', () => server.posts().length === 2)
    assert.equal(server.posts()[1].body.resume, undefined)
    b.client.stop()
    await sending
    for (const tab of [a, b]) assert.deepEqual(tab.errors, [])
  })
}

test('a snapshot in a pause leaves the interrupt pending, if the replay repeats it', LIMIT, async (t) => {
  const server = await s.scripted(t, {
    get: [s.breaks(frame(2, started('r1')), frame(3, start()), frame(4, interrupted())), s.stays(...pending)],
  })
  const tab = await open(t, server)
  await s.until('it is read again', () => server.gets().length === 2 && tab.messages().length === 2)
  await s.sleep(200)
  assert.equal(isPending(tab), true)
})

test('an old interrupt that the stream repeats while a send waits does not settle that send', LIMIT, async (t) => {
  let stream
  const server = await s.scripted(t, {
    get: [(request, response) => (s.open(response), (stream = response).write(pending.join('')))],
    post: [s.answer(202)],
  })
  // Not live: the subscription begins with the send.
  const tab = openTab(t, Newest, s.connect(server), { tools })
  const sending = tab.client.sendMessage('Never mind')
  await s.until('it is posted', () => server.posts().length === 1 && stream)
  await s.sleep(50)
  assert.equal(tab.client.getIsLoading(), true)
  const [{ body }] = server.posts()
  const turn = snapshot(user('Pay'), asking, user('Never mind', body.messages.at(-1).id))
  stream.write([frame(10, turn), frame(11, started(body.runId)), frame(12, start('a2')), frame(13, text('All right.', 'a2'))].join(''))
  stream.write(frame(14, finished(body.runId)))
  await sending
  assert.equal(tab.text(), 'All right.')
  assert.equal(tab.client.getInterrupts().length, 0)
})

test('the parent that the server names is kept, and no run is its own parent', () => {
  const delivery = new Delivery(new OwnRuns())
  delivery.feed(started('r1'))
  delivery.feed(interrupted('r1'))
  assert.equal(delivery.feed(started('r1'))[0].parentRunId, undefined)
  assert.equal(delivery.feed({ ...started('r2'), parentRunId: 'r0' })[0].parentRunId, 'r0')
  assert.equal(delivery.feed(started('r3'))[0].parentRunId, 'r1')
  delivery.feed(finished('r3'))
  assert.equal(delivery.feed(started('r4'))[0].parentRunId, undefined)
})

test('a send without a run context carries no field of it', LIMIT, async (t) => {
  const server = await s.scripted(t, { post: [s.answer(202)] })
  await s.connect(server).send([user('x')])
  await s.connect(server).send([user('x')], undefined, undefined, { runId: 'r', clientTools: [] })
  for (const { body } of server.posts()) assert.deepEqual(Object.keys(body).sort(), ['id', 'messages', 'runId'])
})
