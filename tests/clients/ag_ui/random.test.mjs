// Random histories of both versions of AG-UI's HttpAgent: whatever the order of things, each ends with the fold's messages.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startProxy } from '../proxy.mjs'
import { randomly, startServer, stored, until, writeOddChats } from '../server.mjs'
import { VERSIONS, connect, newAgent, run, say, shownMessages, shownRows } from './agents.mjs'

const HISTORIES = Number(process.env.HISTORIES ?? 60)
const SEED = Number(process.env.SEED ?? 1)
const ODD = 30
const ASKED = ['count 3', 'reason, count 2', 'tool, count 2', 'reason, tool, count 4', 'fail after 1', 'ask', 'count 40 every 5']

let server
before(async () => (server = await startServer()))
after(() => server.close())

for (const version of Object.keys(VERSIONS)) {
  test(`${version}: ${HISTORIES} random histories`, { timeout: 240_000 }, async () => {
    const one = (index) => history(version, SEED * 1000 + index)
    for (let index = 0; index < HISTORIES; index += 4) {
      await Promise.all([0, 1, 2, 3].map((more) => one(index + more)))
    }
  })

  test(`${version}: ${ODD} runs of odd events`, { timeout: 120_000 }, async () => {
    for (let seed = 1; seed <= ODD; seed += 1) {
      const agent = newAgent(version, server.url, `odd-${version.replaceAll('.', '-')}-${seed}`)
      const error = await say(agent, `odd ${seed}`)
      assert.equal(error, null, `seed ${seed}: ${error?.message}`)
      assert.equal(agent.ends.length, 1, `seed ${seed}`)
      const other = newAgent(version, server.url, agent.threadId)
      assert.equal(await connect(other), null, `seed ${seed}`)
      assert.equal(agent.isRunning || other.isRunning, false)
    }
  })
}

test('chats that another implementation left in disorder are shown to all', { timeout: 120_000 }, async () => {
  writeOddChats(server, ODD)
  for (let number = 0; number < ODD; number += 1) {
    for (const version of Object.keys(VERSIONS)) {
      const agent = newAgent(version, server.url, `odd-${number}`)
      assert.equal(await connect(agent), null, `chat ${number}`)
      assert.deepEqual(agent.ends, ['success'], `chat ${number}`)
      assert.equal(await say(agent, 'count 2'), null, `chat ${number}`)
      assert.equal(agent.ends.at(-1), 'success')
    }
  }
})

/** A few turns with cuts, stops, reloads and second devices, in an order that the seed says. */
async function history(version, seed) {
  const chance = randomly(seed)
  const pick = (list) => list[Math.floor(chance() * list.length)]
  const thread = `history-${version.replaceAll('.', '-')}-${seed}`
  const cut = () => (chance() < 0.3 ? { events: Math.floor(chance() * 12), then: pick(['break', 'mid-line']) } : undefined)
  const proxy = await startProxy(server.url, cut)
  try {
    let agent = newAgent(version, proxy.url, thread)
    for (let turn = 0; turn < 3; turn += 1) {
      const asking = say(agent, pick(ASKED))
      const others = []
      if (chance() < 0.4) {
        await new Promise((resolve) => setTimeout(resolve, chance() * 80))
        others.push(connect(newAgent(version, proxy.url, thread)))
      }
      if (chance() < 0.2) await fetch(`${server.url}/api/chat?id=${thread}`, { method: 'DELETE' })
      const reloads = chance() < 0.3
      if (reloads) agent.abortRun()
      await Promise.all([asking, ...others])
      assert.equal(agent.isRunning, false)
      // The page goes on with what it has got, or begins again.
      if (reloads) agent = newAgent(version, proxy.url, thread)
      await until('it has come back', async () => (await connect(agent)) === null)
      await answerCalls(agent)
    }
    await until('it has come back', async () => (await connect(agent)) === null)
    const messages = await stored(server, thread)
    assert.deepEqual(shownRows(agent.messages), shownMessages(messages), `seed ${seed}`)
    assert.deepEqual([...new Set(agent.messages.map(({ id }) => id))].length, agent.messages.length, `seed ${seed}`)
  } finally {
    await proxy.close()
  }
}

/** Answers the calls of the client's tool, as a page does that has the rows of them. */
async function answerCalls(agent) {
  const last = agent.messages.at(-1)
  const call = last?.toolCalls?.find(({ function: called }) => called.name === 'where')
  if (call === undefined) return
  agent.addMessage({ id: `t-${call.id}`, role: 'tool', toolCallId: call.id, content: 'here' })
  await run(agent, {})
}
