// The published ChatClient on the connection, against this repository's server.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DEFAULT_TIMING, S2ConflictError, S2RequestError } from '../dist/index.js'
import { CLIENTS, live, openTab } from './support/clients.mjs'
import { proxy, pythonServer } from './support/python.mjs'
import * as s from './support/scripted.mjs'

const LIMIT = { timeout: 240_000 }
const LAST_WORDS = '*nothing gets lost.*'
/** The default times, but for the waits between tries. */
const TIMING = { ...DEFAULT_TIMING, firstRetry: 50, longestRetry: 500 }

const to = (base, id, options = {}) =>
  s.connect({ base }, { subscribeUrl: `${base}/api/chat/replay?id=${id}`, body: { id }, timing: TIMING, ...options })

/**
 * What must be the same in all tabs. The server's snapshots have the form of the newest client's messages; in older
 * ones, the states of tools and the ids of steps differ between what was seen live and what was loaded.
 */
const essence = (tab) =>
  tab.messages().map(({ id, role, parts }) => ({
    id,
    role,
    parts: parts.map(({ type, content, name, arguments: input }) => ({ type, content, name, input })),
  }))

describe('against the server', { concurrency: 3 }, () => {
  for (const [version, ChatClient, newest] of CLIENTS) {
    const shown = newest ? (tab) => tab.messages() : essence
    const name = (what) => `ai-client ${version}: ${what}`

    test(name('cut connections, a second tab, a reload and a stop leave every tab with the same chat'), LIMIT, async (t) => {
      const server = await pythonServer(t)
      const flaky = await proxy(t, server)
      const open = (base = server.base) => live(openTab(t, ChatClient, to(base, 'tour')))
      const first = await open(flaky.base)
      const second = await open()
      const same = async (count) => {
        const fresh = await open()
        for (const tab of [first, second, fresh]) await s.until(`${count} messages are there`, () => tab.settled(count), 20_000)
        assert.deepEqual(shown(first), shown(fresh))
        assert.deepEqual(shown(second), shown(fresh))
        fresh.close()
      }

      const cutting = setInterval(flaky.cut, 130)
      await first.client.sendMessage('Cut me often').finally(() => clearInterval(cutting))
      await same(2)
      assert.ok(first.text().endsWith(LAST_WORDS))
      assert.ok(flaky.cuts > 5)

      const long = second.client.sendMessage('Something long').catch(() => {})
      await s.until('both show it', () => [first, second].every((tab) => tab.messages().length === 4 && tab.text().length > 20))
      const early = await open()
      await s.until('a reload shows it', () => early.text().length > 20)
      await assert.rejects(early.connection.send([{ id: 'u', role: 'user', parts: [{ type: 'text', content: 'me too' }] }]), S2ConflictError)
      await early.connection.stop()
      await long
      await same(4)
      assert.equal(first.text().endsWith(LAST_WORDS), false)
      for (const tab of [first, second, early]) assert.deepEqual(tab.errors, [])
    })

    test(name('a send whose answer was lost is repeated and runs once'), LIMIT, async (t) => {
      const server = await pythonServer(t)
      const flaky = await proxy(t, server)
      const tab = await live(openTab(t, ChatClient, to(flaky.base, 'once')))
      flaky.loseAnswer = 'POST'
      await tab.client.sendMessage('Just once')
      await s.until('it is settled', () => tab.settled(2))
      assert.ok(tab.text().endsWith(LAST_WORDS))
      const fresh = await live(openTab(t, ChatClient, to(server.base, 'once')))
      await s.until('the chat is there', () => fresh.settled(2))
      assert.deepEqual(shown(fresh), shown(tab))
      assert.deepEqual(tab.errors, [])
    })

    test(name('a run that is over while the stream is away settles its send'), LIMIT, async (t) => {
      const server = await pythonServer(t)
      let away = false
      const connection = to(server.base, 'away', {
        fetch: (url, init) => (away && init.method === 'GET' ? Promise.reject(new TypeError('away')) : fetch(url, init)),
      })
      const tab = await live(openTab(t, ChatClient, connection))
      await tab.client.sendMessage('First')
      await s.until('it is settled', () => tab.settled(2))
      tab.client.unsubscribe()
      away = true
      const other = await live(openTab(t, ChatClient, to(server.base, 'away')))
      const sending = tab.client.sendMessage('Second')
      await s.until('it is over elsewhere', () => other.messages().length === 4 && other.settled(4) && other.text().endsWith(LAST_WORDS), 20_000)
      away = false
      await sending
      await s.until('it is settled', () => tab.settled(4))
      assert.deepEqual(shown(tab), shown(other))
    })

    test(name('a server that is killed in mid-answer and comes back ends the answer, and takes the next'), LIMIT, async (t) => {
      const server = await pythonServer(t, { CHAT_LEASE_MS: '3000' })
      const tab = await live(openTab(t, ChatClient, to(server.base, 'killed')))
      const sending = tab.client.sendMessage('Something long').catch(() => {})
      await s.until('the answer is half there', () => tab.text().length > 20)
      const half = tab.text()
      await server.kill()
      await server.start()
      await sending
      await s.until('the run is over', () => !tab.client.getSessionGenerating() && !tab.client.getIsLoading())
      assert.ok(tab.text(1).startsWith(half))
      assert.equal(tab.errors.length, 1)
      await tab.client.sendMessage('And now')
      await s.until('it is answered', () => !tab.client.getIsLoading() && tab.text().endsWith(LAST_WORDS))
    })

    test(name('shared: the response brings the answer, and is read on where it broke'), LIMIT, async (t) => {
      const server = await pythonServer(t, { CHAT_MODE: 'shared' })
      const flaky = await proxy(t, server)
      const tab = openTab(t, ChatClient, to(flaky.base, 'shared', { mode: 'shared' }))
      const sending = tab.client.sendMessage('Cut me')
      for (let cuts = 0; cuts < 4; cuts++) {
        const before = tab.text().length
        await s.until('it goes on', () => tab.text().length > before + 5)
        flaky.cut()
      }
      await sending
      assert.ok(tab.text().startsWith('You said **Cut me**'))
      assert.ok(tab.text().endsWith(LAST_WORDS))
      assert.deepEqual(tab.errors, [])
    })

    test(name('single-use without subscribeUrl, and a wrong id'), LIMIT, async (t) => {
      const server = await pythonServer(t, { CHAT_MODE: 'single-use' })
      const single = (id) => to(server.base, id, { mode: 'single-use', subscribeUrl: undefined })
      const tab = openTab(t, ChatClient, single('once-only'))
      await tab.client.sendMessage('Hello')
      assert.ok(tab.text().endsWith(LAST_WORDS))
      assert.deepEqual(tab.errors, [])
      const wrong = openTab(t, ChatClient, single('not an id'))
      await wrong.client.sendMessage('Hello').catch(() => {})
      assert.ok(wrong.errors[0] instanceof S2RequestError)
      assert.match(wrong.errors[0].message, /id: must be/)
    })
  }
})
