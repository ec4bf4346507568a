// CopilotKit's published core against the real server, over its REST contract and over its single route.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { CopilotKitCore as Core74, ProxiedCopilotRuntimeAgent as Agent74 } from '@copilotkit/core-1.74'
import { CopilotKitCore as Core75, ProxiedCopilotRuntimeAgent as Agent75 } from '@copilotkit/core'
import { startProxy } from '../proxy.mjs'
import { startServer, stored, until } from '../server.mjs'
import { calmFetch, outcome, say, shownMessages, shownRows, watched } from './agents.mjs'

let server
let chats = 0
before(async () => {
  server = await startServer()
  // The core asks for its agents only in a page.
  globalThis.window = { location: new URL(server.url), addEventListener() {}, removeEventListener() {} }
})
after(() => server.close())

const base = (url) => `${url}/api/copilotkit`

for (const [version, Core, Agent] of [['1.74', Core74, Agent74], ['1.75', Core75, Agent75]]) {
  for (const transport of ['rest', 'single', 'auto']) {
    describe(`${version} ${transport}`, () => {
      const agentFor = (threadId, url = server.url) =>
        watched(new Agent({ runtimeUrl: base(url), transport, agentId: 'default', threadId, fetch: calmFetch }))
      const fresh = (url) => agentFor(`copilot-${(chats += 1)}`, url)
      const connect = (agent) => agent.connectAgent().then(() => null, (error) => error)
      const settled = async (agent) => {
        assert.equal(agent.isRunning, false)
        assert.deepEqual(shownRows(agent.messages), shownMessages(await stored(server, agent.threadId)))
      }

      test('the core finds the agent, hydrates it, and runs it', async () => {
        const core = new Core({ runtimeUrl: base(server.url), runtimeTransport: transport })
        core.connect?.()
        await until('the runtime is known', () => core.runtimeConnectionStatus === 'connected')
        const agent = watched(core.getAgent('default'))
        agent.threadId = `copilot-${(chats += 1)}`
        await core.connectAgent({ agent })
        assert.deepEqual(agent.messages, [])
        agent.addMessage({ id: 'u', role: 'user', content: 'reason, tool, count 3' })
        await core.runAgent({ agent })
        await settled(agent)
        const again = agentFor(agent.threadId)
        assert.equal(await connect(again), null)
        assert.deepEqual(shownRows(again.messages), shownRows(agent.messages))
      })

      test('a second device joins in mid-run, and a stop ends it for both', async () => {
        const agent = fresh()
        assert.equal(await say(agent, 'count 1'), null)
        const running = say(agent, 'count 500 every 20')
        await until('it answers', () => String(agent.messages.at(-1).content).includes('3 '))
        const other = agentFor(agent.threadId)
        const joining = connect(other)
        await until('the other sees it', () => other.messages.length === 4)
        assert.equal(other.isRunning, true)
        other.abortRun()
        assert.deepEqual(await Promise.all([running, joining]), [null, null])
        assert.deepEqual(other.messages, agent.messages)
        assert.equal(outcome(agent.messages), 'stopped')
        await settled(agent)
      })

      test('its own stop names the run', async () => {
        const agent = fresh()
        const running = say(agent, 'count 500 every 20')
        await until('it answers', () => String(agent.messages.at(-1).content).includes('3 '))
        agent.abortRun()
        assert.equal(await running, null)
        assert.equal(outcome(agent.messages), 'stopped')
        await settled(agent)
      })

      test('a failure is told with what was there', async () => {
        const agent = fresh()
        await say(agent, 'fail after 2')
        assert.match(agent.ends[0], /the test asked for it/)
        assert.equal(outcome(agent.messages), 'failed')
        await settled(agent)
      })

      test('interrupts wait on every device, and are answered by any', async () => {
        const agent = fresh()
        assert.equal(await say(agent, 'confirm'), null)
        const other = agentFor(agent.threadId)
        assert.equal(await connect(other), null)
        assert.deepEqual(other.pendingInterrupts, agent.pendingInterrupts)
        const resume = other.pendingInterrupts.map(({ id }) => ({ interruptId: id, status: 'resolved', payload: 1 }))
        assert.equal(await other.runAgent({ resume }).then(() => null, (error) => error), null)
        assert.match(other.messages.at(-1).content, /You answered/)
        await settled(other)
      })

      test('a chat that is busy says so', async () => {
        const agent = fresh()
        const other = agentFor(agent.threadId)
        const errors = await Promise.all([say(agent, 'count 20 every 20'), say(other, 'count 20 every 20')])
        const refused = errors.filter((error) => error !== null)
        assert.equal(refused.length, 1)
        assert.equal(refused[0].status, 409)
        assert.match(refused[0].payload.message, /still being written/)
      })

      test('a body that breaks off is never taken for a whole answer', { timeout: 60_000 }, async () => {
        for (const then of ['break', 'mid-line']) {
          for (let events = 0; events < 12; events += 3) {
            const plan = [{ events, then }]
            const proxy = await startProxy(server.url, ({ url }) => (url.endsWith('/info') ? undefined : plan.shift()))
            const agent = fresh(proxy.url)
            const error = await say(agent, 'reason, tool, count 2')
            assert.ok(error !== null, `${then} after ${events} events went unnoticed`)
            assert.equal(await connect(agent), null)
            await settled(agent)
            await proxy.close()
          }
        }
      })
    })
  }
}

test('what a stop may not hold is refused, and a stop of nothing says so', async () => {
  const stop = (body) => fetch(`${base(server.url)}/agent/default/stop/idle`, { method: 'POST', ...body })
  const json = { 'content-type': 'application/json' }
  assert.deepEqual(await (await stop({ headers: json })).json(), { stopped: false, message: 'Nothing is running.' })
  const wrong = await stop({ headers: json, body: '{"runId":"r","force":true}' })
  assert.equal(wrong.status, 400)
  assert.match((await wrong.json()).message, /runId/)
})

test('a caller without a name is told nothing', async () => {
  const closed = await startServer({ CHAT_AUTH: 'required' })
  try {
    const answer = await fetch(`${base(closed.url)}/info`)
    assert.equal(answer.status, 401)
    assert.match((await answer.json()).message, /^Sign in/)
  } finally {
    await closed.close()
  }
})
