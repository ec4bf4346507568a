// AG-UI's published HttpAgents against the real server: whatever happens, each ends with the fold's messages, and settled.
import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { startProxy } from '../proxy.mjs'
import { startServer, stored, until } from '../server.mjs'
import { VERSIONS, connect, newAgent, outcome, run, say, shownMessages, shownRows, warnings } from './agents.mjs'

let server
let chats = 0
before(async () => (server = await startServer()))
after(() => server.close())

const settled = async (agent) => {
  assert.equal(agent.isRunning, false)
  const messages = await stored(server, agent.threadId)
  assert.deepEqual(shownRows(agent.messages), shownMessages(messages))
  const other = newAgent('1.0', server.url, agent.threadId)
  assert.equal(await connect(other), null)
  assert.deepEqual(agent.messages.map(({ id, role }) => [role, id]), other.messages.map(({ id, role }) => [role, id]))
  return messages
}

for (const version of Object.keys(VERSIONS)) {
  describe(version, () => {
    const agentFor = (thread, url = server.url, more) => newAgent(version, url, thread, more)
    const fresh = (url, more) => agentFor(`agents-${(chats += 1)}`, url, more)

    test('turns of text, thoughts and tools are the same live and in the history', async () => {
      const agent = fresh()
      for (const asked of ['count 3', 'reason, tool, count 2', 'tool and count 4']) {
        assert.equal(await say(agent, asked), null)
      }
      assert.deepEqual(agent.ends, ['success', 'success', 'success'])
      await settled(agent)
      assert.equal(outcome(agent.messages), 'finished')
      assert.deepEqual(warnings.filter((warning) => warning.includes('[ag-ui]')), [])
    })

    test('pictures and files of the user come back', async () => {
      const agent = fresh()
      const source = { type: 'data', value: 'aGk=', mimeType: 'image/png' }
      assert.equal(await say(agent, [{ type: 'text', text: 'count 1' }, { type: 'image', source }]), null)
      await settled(agent)
      const other = agentFor(agent.threadId)
      assert.equal(await connect(other), null)
      assert.deepEqual(other.messages[0].content, agent.messages[0].content)
    })

    test('a second device joins in mid-run, and has it all', async () => {
      const agent = fresh()
      assert.equal(await say(agent, 'count 1'), null)
      const running = say(agent, 'reason, tool, count 30 every 15')
      await until('it answers', () => agent.messages.some((row) => String(row.content).includes('3 ')))
      const other = agentFor(agent.threadId)
      const joining = connect(other)
      await until('the other sees it', () => shownRows(other.messages).length > 3)
      assert.equal(other.isRunning, true)
      assert.deepEqual(await Promise.all([running, joining]), [null, null])
      assert.deepEqual(other.messages, agent.messages)
      await settled(other)
    })

    test('a page that reloads in mid-answer goes on', async () => {
      const agent = fresh()
      const running = say(agent, 'reason, count 30 every 15')
      await until('it answers', () => agent.messages.at(-1).content?.includes('3 '))
      agent.abortRun()
      await running
      const again = agentFor(agent.threadId)
      assert.equal(await connect(again), null)
      assert.deepEqual(again.ends, ['success'])
      await settled(again)
    })

    test('a stop from elsewhere ends it with what there is, for all', async () => {
      const agent = fresh()
      const running = say(agent, 'count 500 every 20', { runId: `stop-${version}` })
      await until('it answers', () => agent.messages.at(-1).content?.includes('3 '))
      const other = agentFor(agent.threadId)
      const joining = connect(other)
      await until('the other sees it', () => other.messages.length === 2)
      const stop = `${server.url}/api/chat?id=${agent.threadId}&runId=stop-${version}`
      assert.equal((await fetch(stop, { method: 'DELETE' })).status, 202)
      assert.deepEqual(await Promise.all([running, joining]), [null, null])
      assert.deepEqual(agent.ends, [version === '1.0' ? 'cancelled' : 'success'])
      assert.deepEqual(other.messages, agent.messages)
      assert.equal(outcome(agent.messages), 'stopped')
      await settled(agent)
    })

    test('a failure is told, with what was there before it', async () => {
      const agent = fresh()
      const error = await say(agent, 'fail after 2')
      assert.match(String(error ?? agent.ends), /the test asked for it/)
      assert.equal(agent.ends.length, 1)
      assert.equal(outcome(agent.messages), 'failed')
      await settled(agent)
      assert.equal(await say(agent, 'count 2'), null)
      await settled(agent)
    })

    test('a tool of the client gets its result by the next run', async () => {
      const agent = fresh()
      assert.equal(await say(agent, 'ask'), null)
      const [call] = agent.messages.at(-1).toolCalls
      agent.addMessage({ id: `t-${version}`, role: 'tool', toolCallId: call.id, content: 'in Rome' })
      assert.equal(await run(agent, {}), null)
      assert.match(agent.messages.at(-1).content, /You are in Rome\. 1 2 3 of 1\./)
      const messages = await stored(server, agent.threadId)
      assert.deepEqual(shownRows(agent.messages), shownMessages(messages))
      const other = agentFor(agent.threadId)
      assert.equal(await connect(other), null)
      assert.deepEqual(shownRows(other.messages), shownRows(agent.messages))
      assert.equal(await connect(agent), null)
      assert.deepEqual(agent.messages, other.messages)
    })

    test('an interrupt waits on every device until it is answered', async () => {
      const agent = fresh()
      assert.equal(await say(agent, 'confirm'), null)
      assert.deepEqual(agent.ends, ['interrupt'])
      const other = agentFor(agent.threadId)
      assert.equal(await connect(other), null)
      assert.deepEqual(other.pendingInterrupts, agent.pendingInterrupts)
      assert.equal(other.pendingInterrupts.length, 1)
      assert.match((await say(agentWith(other), 'count 1')).message, /pending interrupt/)
      const resume = other.pendingInterrupts.map(({ id }) => ({ interruptId: id, status: 'resolved', payload: 'yes' }))
      assert.equal(await run(other, { resume, runId: `resume-${version}` }), null)
      assert.match(other.messages.at(-1).content, /You answered .*resolved/)
      assert.deepEqual(other.pendingInterrupts, [])
      await settled(other)
      // Sent twice, it runs once.
      const rows = other.messages.length
      const twice = agentFor(agent.threadId, server.url, { initialMessages: agent.messages })
      assert.equal(await run(twice, { resume, runId: `resume-${version}` }), null)
      assert.equal(twice.messages.length, rows)
      await settled(twice)
    })

    test('of two clients at once, one is told that the chat is busy', async () => {
      const agent = fresh()
      const other = agentFor(agent.threadId)
      const errors = await Promise.all([say(agent, 'count 20 every 20'), say(other, 'count 20 every 20')])
      const refused = errors.filter((error) => error !== null)
      assert.equal(refused.length, 1)
      assert.equal(refused[0].status, 409)
      assert.match(refused[0].payload.detail, /still being written/)
      assert.equal(agent.isRunning || other.isRunning, false)
      await settled(errors[0] === null ? agent : other)
    })

    test('the same run twice is one answer, and another message under its id is refused', async () => {
      const agent = fresh()
      assert.equal(await say(agent, 'count 3', { runId: `twice-${version}` }), null)
      const again = agentFor(agent.threadId, server.url, { initialMessages: agent.messages.slice(0, 1) })
      assert.equal(await run(again, { runId: `twice-${version}` }), null)
      assert.deepEqual(again.messages, agent.messages)
      const error = await say(again, 'another', { runId: `twice-${version}` })
      assert.equal(error.status, 422)
      await settled(agent)
    })

    test('a body that breaks off is never taken for a whole answer', { timeout: 120_000 }, async () => {
      for (const then of ['break', 'mid-line']) {
        for (let events = 0; events < 14; events += 1) {
          const proxy = await startProxy(server.url, (_, number) => (number ? undefined : { events, then }))
          const agent = fresh(proxy.url)
          const error = await say(agent, 'reason, tool, count 2')
          assert.ok(error !== null, `${then} after ${events} events went unnoticed`)
          assert.equal(agent.isRunning, false)
          assert.equal(await connect(agent), null)
          assert.deepEqual(agent.ends, ['success'])
          await settled(agent)
          await proxy.close()
        }
      }
    })

    test('a client that is too large or wrong is told what to change', async () => {
      const agent = fresh()
      const large = await say(agent, 'x'.repeat(7_000_000))
      assert.equal(large.status, 413)
      const named = await say(newAgent(version, server.url, '.wrong'), 'hi')
      assert.equal(named.status, 400)
      assert.match(named.payload.detail, /^threadId: /)
    })
  })
}

/** An agent with the same rows and interrupts, so that what is refused to it leaves the first as it was. */
function agentWith(agent) {
  const other = agent.clone()
  other.pendingInterrupts = [...agent.pendingInterrupts]
  return other
}

test('with the id of the last event, a client of its own goes on where it was', async () => {
  const url = `${server.url}/api/ag-ui`
  const input = {
    threadId: 'cursor',
    runId: 'cursor-run',
    messages: [{ id: 'u', role: 'user', content: 'reason, tool, count 3' }],
  }
  const events = async (path, headers = {}) => {
    const answer = await fetch(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(input),
    })
    assert.equal(answer.status, 200)
    return (await answer.text()).split('\n\n').filter((event) => event.includes('data: '))
  }
  await events(url)
  const whole = await events(url)
  const idOf = (event) => /^id: (\d+)$/m.exec(event)?.[1]
  const deltas = (list) => list.map((event) => /"delta":"(.*?)"/.exec(event)?.[1] ?? '').join('')
  for (const [index, event] of whole.entries()) {
    const id = idOf(event)
    if (id === undefined) continue
    const rest = await events(url, { 'last-event-id': id })
    const last = index === whole.length - 1
    assert.deepEqual(rest, last ? [whole.at(-1).replace(/id: \d+\n/, '')] : whole.slice(index + 1), `after ${id}`)
  }
  const half = await events(`${url}/connect`, { 'last-event-id': idOf(whole.find((event) => idOf(event))) })
  assert.equal(deltas(half), deltas(whole))
  const unknown = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'last-event-id': '3' },
    body: JSON.stringify({ ...input, runId: 'nobody' }),
  })
  assert.equal(unknown.status, 404)
})

test('a killed server leaves a run that every client sees end', { timeout: 60_000 }, async () => {
  const mortal = await startServer()
  try {
    for (const version of Object.keys(VERSIONS)) {
      const agent = newAgent(version, mortal.url, `killed-${version.replaceAll('.', '-')}`)
      const running = say(agent, 'count 500 every 20')
      await until('it answers', () => agent.messages.at(-1).content?.includes('3 '))
      await mortal.kill()
      assert.ok((await running) !== null)
      await mortal.start()
      const again = newAgent(version, mortal.url, agent.threadId)
      await connect(again)
      assert.match(again.ends[0], /^writer_lost: /)
      assert.equal(again.isRunning, false)
      assert.equal(outcome(again.messages), 'lost')
      assert.deepEqual(shownRows(again.messages), shownMessages(await stored(mortal, again.threadId)))
    }
  } finally {
    await mortal.close()
  }
})

test('a caller without a name is told to sign in', async () => {
  const closed = await startServer({ CHAT_AUTH: 'required' })
  try {
    for (const version of Object.keys(VERSIONS)) {
      const error = await say(newAgent(version, closed.url, 'mine'), 'hi')
      assert.equal(error.status, 401)
      assert.match(error.payload.detail, /^Sign in/)
    }
  } finally {
    await closed.close()
  }
})

test('a log that is gone is a 503, for a run and for a connect', async () => {
  const robbed = await startServer()
  try {
    for (const version of Object.keys(VERSIONS)) {
      const agent = newAgent(version, robbed.url, 'robbed')
      if (version === '0.0.59') assert.equal(await say(agent, 'count 1'), null)
      await rm(robbed.log, { force: true })
      assert.equal((await say(agent, 'count 1')).status, 503)
      assert.equal((await connect(newAgent(version, robbed.url, 'robbed'))).status, 503)
      assert.equal(agent.isRunning, false)
    }
  } finally {
    await robbed.close()
  }
})

test('silence in mid-answer is waited out, as long as the server keeps the connection', async () => {
  for (const version of Object.keys(VERSIONS)) {
    const agent = newAgent(version, server.url, `silent-${version.replaceAll('.', '-')}`)
    assert.equal(await say(agent, 'wait 6, count 2'), null)
    assert.match(agent.messages.at(-1).content, /^1 2 of 1\.$/)
  }
})
