// What the page makes of how a run ended, of keys, and of refusals: the parts without a browser.
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { load } from './load.mjs'

let page
before(async () => {
  page = await load(`
    export { endNote, runEndOf, runEndOfError } from './src/message/runEnd'
    export { composes, submits } from './src/composer/keys'
    export { activityOf } from './src/chat/activity'
    export { failureText, refusalText } from './src/chat/refusal'
    export { groupsOf, sameMessages } from './src/chat/groups'`)
})

const withRun = (run) => ({ metadata: { other: 1, resumable: { run } } })

test("a message's metadata says how its run ended", () => {
  const times = { id: 'r1', startedAt: '2026-01-01T00:00:00.000Z', endedAt: '2026-01-01T00:00:01.000Z' }
  assert.deepEqual(page.runEndOf(withRun({ ...times, outcome: 'failed', error: 'no credit' })), { outcome: 'failed', error: 'no credit' })
  assert.deepEqual(page.runEndOf(withRun({ ...times, outcome: 'finished', finishReason: 'length' })), {
    outcome: 'finished',
    finishReason: 'length',
  })
  for (const outcome of ['stopped', 'lost', 'deadline']) assert.deepEqual(page.runEndOf(withRun({ ...times, outcome })), { outcome })
})

test('metadata that says nothing sensible says nothing', () => {
  const odd = [undefined, null, 'x', 5, [], {}, { resumable: null }, { resumable: [] }, { resumable: { run: 'x' } }]
  for (const metadata of odd) assert.equal(page.runEndOf({ metadata }), null)
  for (const outcome of [undefined, null, '', 'FINISHED', 'exploded', {}, []]) assert.equal(page.runEndOf(withRun({ outcome })), null)
  assert.deepEqual(page.runEndOf(withRun({ outcome: 'failed', error: {}, finishReason: 5 })), { outcome: 'failed' })
  assert.deepEqual(page.runEndOf(withRun({ outcome: 'failed', error: '  ' })), { outcome: 'failed' })
})

test('each end has its label, and an answer that is whole has none', () => {
  const label = (end) => page.endNote(end)?.label ?? null
  assert.equal(label({ outcome: 'stopped' }), 'Stopped')
  assert.equal(label({ outcome: 'failed', error: 'x' }), 'Failed')
  assert.equal(label({ outcome: 'lost' }), 'Cut off')
  assert.equal(label({ outcome: 'deadline' }), 'Cut off')
  assert.equal(label({ outcome: 'finished', finishReason: 'length' }), 'Length limit')
  assert.equal(label({ outcome: 'finished', finishReason: 'content_filter' }), 'Content filter')
  assert.equal(label({ outcome: 'finished', finishReason: 'content-filter' }), 'Content filter')
  for (const finishReason of [undefined, 'stop', 'tool_calls', 'constructor', 'toString', '']) {
    assert.equal(label({ outcome: 'finished', finishReason }), null)
  }
  assert.equal(page.endNote({ outcome: 'failed', error: 'no credit' }).reason, 'no credit')
  assert.equal(page.endNote({ outcome: 'failed' }).reason, 'An error occurred.')
  assert.notEqual(page.endNote({ outcome: 'lost' }).reason, page.endNote({ outcome: 'deadline' }).reason)
})

test('an error without an outcome tells a dead writer and a deadline from a failure', () => {
  assert.deepEqual(page.runEndOfError({ code: 'writer_lost', message: 'x' }), { outcome: 'lost' })
  assert.deepEqual(page.runEndOfError({ code: 'deadline', message: 'x' }), { outcome: 'deadline' })
  assert.deepEqual(page.runEndOfError({ message: 'the model is down' }), { outcome: 'failed', error: 'the model is down' })
  assert.deepEqual(page.runEndOfError({ message: { a: 1 } }), { outcome: 'failed' })
})

test('Enter sends unless an input method has it', () => {
  const enter = { key: 'Enter', shiftKey: false, keyCode: 13, isComposing: false }
  assert.equal(page.submits(enter), true)
  assert.equal(page.submits({ ...enter, shiftKey: true }), false)
  assert.equal(page.submits({ ...enter, isComposing: true }), false)
  assert.equal(page.submits({ ...enter, keyCode: 229 }), false)
  assert.equal(page.submits({ ...enter, key: 'Process', keyCode: 229 }), false)
  assert.equal(page.submits({ ...enter, key: 'a', keyCode: 65 }), false)
})

test('the page says what it waits for, and nothing while the connection is lost', () => {
  const facts = { busy: true, sending: false, connection: 'live', begun: false, reasoning: false, silent: false }
  assert.equal(page.activityOf({ ...facts, busy: false }), null)
  assert.equal(page.activityOf({ ...facts, sending: true, connection: 'reconnecting' }), 'sending')
  assert.equal(page.activityOf(facts), 'thinking')
  assert.equal(page.activityOf({ ...facts, silent: true }), 'thinking')
  assert.equal(page.activityOf({ ...facts, begun: true }), 'writing')
  assert.equal(page.activityOf({ ...facts, begun: true, silent: true }), 'waiting')
  assert.equal(page.activityOf({ ...facts, begun: true, reasoning: true }), null)
  for (const connection of ['reconnecting', 'connecting', 'failed', 'paused']) assert.equal(page.activityOf({ ...facts, connection }), null)
})

test('a refusal says what happened, what the server said, and where the text is', () => {
  const refusal = (status, detail) => page.refusalText(Object.assign(new Error('x'), { status, detail }), 'send')
  assert.match(refusal(401), /Sign in.*/)
  assert.match(refusal(403), /not allowed/)
  assert.match(refusal(409), /another tab/)
  assert.match(refusal(413), /too large/)
  assert.match(refusal(undefined), /cannot be reached/)
  assert.equal(refusal(503, 'the log cannot be reached'), 'The server did not take the message: the log cannot be reached. Your message is back in the input.')
  assert.match(refusal(500), /error 500\./)
  for (const status of [undefined, 401, 403, 409, 413, 422, 500]) assert.match(refusal(status), /Your message is back in the input\./)
  assert.match(page.failureText(Object.assign(new Error('x'), { status: 401 })), /Sign in/)
  assert.match(page.failureText(Object.assign(new Error('x'), { status: 400, detail: 'id is wrong' })), /id is wrong\.$/)
  assert.match(page.failureText(null), /cannot be loaded/)
})

test('the groups of a long chat stay as they are while it grows', () => {
  const messages = Array.from({ length: 25 }, (_, index) => ({ id: String(index) }))
  const groups = page.groupsOf(messages)
  assert.deepEqual(groups.map(({ length }) => length), [10, 10, 5])
  const grown = page.groupsOf([...messages, { id: 'new' }])
  assert.deepEqual(groups.map((group, index) => page.sameMessages(group, grown[index])), [true, true, false])
  assert.deepEqual(page.groupsOf([]), [])
})
