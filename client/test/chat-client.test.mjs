// The published ChatClient on the connection, against scripts.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { S2AuthError, S2ConflictError } from '../dist/index.js'
import { CLIENTS, live, openTab } from './support/clients.mjs'
import * as s from './support/scripted.mjs'

const { frame, text, started, finished, start, end, snapshot, assistant } = s
const LIMIT = { timeout: 120_000 }

/** A log in memory behind the three routes: what a send appends is what the replay shows. */
function logServer(t, script = {}) {
  const log = [[1, snapshot()]]
  const streams = new Set()
  const append = (...records) => {
    log.push(...records)
    for (const stream of streams) stream.write(records.map((record) => frame(...record)).join(''))
  }
  const shown = (request) => ({ id: request.body.messages.at(-1).id, role: 'user', parts: request.body.messages.at(-1).parts })
  return s.scripted(t, {
    get: [
      (request, response) => {
        s.open(response)
        const rest = log.filter(([id]) => id > (request.query.from ?? 0))
        response.write(rest.map((record) => frame(...record)).join(''))
        streams.add(response.on('close', () => streams.delete(response)))
      },
    ],
    post: [
      (request, response) => {
        const { runId } = request.body
        s.answer(202)(request, response)
        append([5, snapshot(shown(request))], [6, started(runId)], [7, start()], [8, text('Hello ')])
        append([9, text('you')], [10, end()], [11, finished(runId)])
      },
    ],
    ...script,
  })
}

for (const [version, ChatClient] of CLIENTS) {
  const name = (what) => `ai-client ${version}: ${what}`

  test(name('a message is sent, and its answer shown'), LIMIT, async (t) => {
    const server = await logServer(t)
    const tab = await live(openTab(t, ChatClient, s.connect(server)))
    await tab.client.sendMessage('hi')
    await s.until('it is settled', () => tab.settled(2))
    assert.deepEqual(tab.messages().map(({ role }) => role), ['user', 'assistant'])
    assert.equal(tab.text(), 'Hello you')
    assert.deepEqual(tab.errors, [])
    assert.equal(tab.client.getStatus(), 'ready')
  })

  test(name('the subscription may begin with the send'), LIMIT, async (t) => {
    const server = await logServer(t, {
      get: [s.stays(frame(1, snapshot())), s.stays(frame(6, started()), frame(7, start()), frame(8, text('late')), frame(9, finished()))],
      post: [s.answer(202)],
    })
    const tab = openTab(t, ChatClient, s.connect(server, { timing: { deliveryAfter: 100 } }))
    await tab.client.sendMessage('hi')
    assert.equal(tab.text(), 'late')
    assert.deepEqual(tab.errors, [])
  })

  test(name('409 settles the send with a typed error, and the chat goes on'), LIMIT, async (t) => {
    const server = await logServer(t)
    server.script.post.unshift(s.answer(409, { detail: 'An answer is still being written.' }))
    const tab = await live(openTab(t, ChatClient, s.connect(server)))
    await tab.client.sendMessage('too early').catch(() => {})
    const [error] = tab.errors
    assert.ok(error instanceof S2ConflictError)
    assert.equal(error.detail, 'An answer is still being written.')
    assert.equal(error.unsent.parts[0].content, 'too early')
    assert.equal(tab.client.getIsLoading(), false)
    tab.client.setMessagesManually(tab.messages().filter(({ id }) => id !== error.unsent.id))
    await tab.client.sendMessage('again')
    await s.until('it is settled', () => tab.settled(2))
    assert.equal(tab.text(), 'Hello you')
  })

  test(name('a refused subscription settles a pending send with its error'), LIMIT, async (t) => {
    const server = await logServer(t, { get: [s.answer(401, { detail: 'sign in' })], post: [s.answer(202)] })
    const tab = openTab(t, ChatClient, s.connect(server))
    await tab.client.sendMessage('hi').catch(() => {})
    assert.ok(tab.errors[0] instanceof S2AuthError)
    assert.equal(tab.client.getIsLoading(), false)
    assert.equal(tab.connection.state, 'failed')
  })

  test(name('the send settles although its run was over before the stream was back'), LIMIT, async (t) => {
    let id
    const server = await logServer(t, {
      get: [
        s.stays(frame(1, snapshot())),
        s.answer(503),
        (request, response) => s.stays(frame(9, snapshot(s.user('hi', id), assistant('all of it'))))(request, response),
      ],
      post: [
        (request, response) => {
          id = request.body.messages.at(-1).id
          server.gets()[0].response.destroy()
          s.answer(202)(request, response)
        },
      ],
    })
    const tab = await live(openTab(t, ChatClient, s.connect(server)))
    await tab.client.sendMessage('hi')
    assert.equal(tab.text(), 'all of it')
    assert.equal(tab.client.getIsLoading(), false)
    assert.equal(tab.client.getSessionGenerating(), false)
    assert.equal(tab.messages().length, 2)
    assert.deepEqual(tab.errors, [])
  })

  test(name('breaks and leases in mid-answer do not flicker'), LIMIT, async (t) => {
    let id
    const states = []
    const part = (n) => frame(10 + n, text(`${n} `))
    const server = await logServer(t, {
      get: [
        s.stays(frame(1, snapshot())),
        (request, response) => s.breaks(frame(8, snapshot(s.user('hi', id))), frame(9, started()), frame(10, start()), part(1))(request, response),
        s.breaks(part(1), part(2)),
        s.breaks(part(3), part(4)),
        s.stays(part(5), frame(16, finished())),
      ],
      post: [
        (request, response) => {
          id = request.body.messages.at(-1).id
          s.answer(202)(request, response)
          server.gets()[0].response.destroy()
        },
      ],
    })
    const connection = s.connect(server, { onStateChange: (state) => states.push(state), timing: { quietFor: 1000 } })
    const tab = await live(openTab(t, ChatClient, connection))
    await tab.client.sendMessage('hi')
    assert.equal(tab.text(), '1 2 3 4 5 ')
    assert.deepEqual(states, ['connecting', 'live'])
    assert.deepEqual(tab.errors, [])
  })

  test(name('stop on both sides: the client settles, the server is told which run'), LIMIT, async (t) => {
    const server = await logServer(t, { post: [s.answer(202)], delete: [s.answer(202)] })
    const tab = await live(openTab(t, ChatClient, s.connect(server)))
    const sending = tab.client.sendMessage('hi').catch(() => {})
    await s.until('it was posted', () => server.posts().length === 1)
    tab.client.stop()
    await tab.connection.stop()
    await sending
    assert.equal(server.deletes()[0].body.runId, server.posts()[0].body.runId)
    assert.deepEqual(tab.errors, [])
  })

  test(name('without subscribeUrl: the response brings the answer; a break is an error'), LIMIT, async (t) => {
    const run = [frame(2, started()), frame(3, start()), frame(4, text('Hello'))]
    const server = await s.scripted(t, { post: [s.ends(...run, frame(5, end()), frame(6, finished())), s.breaks(...run)] })
    const tab = openTab(t, ChatClient, s.connect(server, { mode: 'single-use', subscribeUrl: undefined }))
    await tab.client.sendMessage('hi')
    assert.equal(tab.text(), 'Hello')
    assert.deepEqual(tab.errors, [])
    await tab.client.sendMessage('more').catch(() => {})
    assert.match(tab.errors[0].message, /broke off/)
    assert.equal(tab.client.getIsLoading(), false)
  })

  test(name('shared with subscribeUrl: a broken response is read on'), LIMIT, async (t) => {
    const run = [frame(2, started()), frame(3, start()), frame(4, text('Hel')), frame(5, text('lo')), frame(6, end()), frame(7, finished())]
    const server = await s.scripted(t, { get: [s.answer(204), s.ends(...run.slice(3))], post: [s.breaks(...run.slice(0, 3))] })
    const tab = openTab(t, ChatClient, s.connect(server, { mode: 'shared' }))
    await tab.client.sendMessage('hi')
    assert.equal(tab.text(), 'Hello')
    assert.deepEqual(tab.errors, [])
  })
}
