// Random histories, and streams in no good order: whatever happens, pages settle and show what the log folds to.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startProxy } from '../proxy.mjs'
import { randomly, startServer, stored, until, writeOddChats } from '../server.mjs'
import { openPage, plain } from './page.mjs'

const HISTORIES = Number(process.env.HISTORIES ?? 200)
const FIRST_SEED = Number(process.env.SEED ?? 0)
const AT_ONCE = 8
const ODD = 120

let server
before(async () => (server = await startServer()), { timeout: 90_000 })
after(() => server?.close())

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Runs `one(index)` for each index, a few at once. Fails with the index of the first that failed. */
async function each(count, one) {
  let next = 0
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < count) {
        const index = next++
        await one(index).catch((error) => {
          error.message = `case ${index}: ${error.message}`
          throw error
        })
      }
    }),
  )
}

/** Up to four turns by a page that is reloaded, cut off, stopped, or joined by a second device, at random moments. */
async function history(seed) {
  const chance = randomly(seed)
  const pick = (...items) => items[Math.floor(chance() * items.length)]
  const id = `history-${seed}`
  const proxy = await startProxy(server.url, ({ method, url }) => {
    const streams = method === 'POST' || url.includes('runId=')
    return streams && chance() < 0.3 ? { events: 1 + Math.floor(chance() * 12), then: pick('break', 'mid-line') } : undefined
  })
  const open = () => openPage(proxy.url, id, { reconnect: { maxAttempts: 20, delayMs: 5 } })
  const settled = async (page, messages, what) => {
    const whole = () => page.settled() && page.shown().length >= messages.length
    await until(`a page of ${id} settles`, whole, 15).catch(() => {})
    assert.deepEqual(page.shown(), messages, `${id}: ${what}, ${page.client.getStatus()}`)
    assert.deepEqual(page.errors, [], id)
  }
  let page = open()
  try {
    for (let turn = 1 + Math.floor(chance() * 4); turn > 0; turn--) {
      const text = [pick('', 'reason'), pick('', 'tool'), `count ${1 + Math.floor(chance() * 15)}`, `every ${pick(1, 5, 20)}`]
      const before = (await hydrated(id)).length
      const sending = page.send(text.join(' '))
      const what = pick('nothing', 'reload', 'device', 'stop')
      if (what !== 'nothing') {
        await until('the message is stored', async () => (await hydrated(id)).length > before)
        await sleep(chance() * 150)
      }
      const others = []
      if (what === 'reload') page = page.reload()
      else if (what === 'device') others.push(open())
      else if (what === 'stop') await fetch(`${server.url}/api/chat?id=${id}`, { method: 'DELETE' })
      if (what !== 'reload') await sending
      const messages = plain(await stored(server, id))
      for (const each of [page, ...others]) await settled(each, messages, what)
      for (const each of others) each.leave()
    }
    const late = open()
    await settled(late, plain(await stored(server, id)), 'late')
    late.leave()
  } finally {
    page.leave()
    await proxy.close()
  }
}

async function hydrated(id) {
  return (await (await fetch(`${server.url}/api/chat/stream?threadId=${id}`)).json()).messages
}

test(`${HISTORIES} random histories end with what the log folds to`, { timeout: 240_000 }, () =>
  each(HISTORIES, (index) => history(FIRST_SEED + index)),
)

test(`${ODD} answers in no good order are shown as they are stored`, { timeout: 120_000 }, () =>
  each(ODD, async (index) => {
    const id = `odd-answer-${index}`
    const page = openPage(server.url, id)
    await page.send(`odd ${index + 1}`)
    await until('the page settles', page.settled)
    const reloaded = page.reload()
    const messages = plain(await stored(server, id))
    await until('the reloaded page shows the chat', () => reloaded.shown().length === messages.length)
    assert.deepEqual(reloaded.shown(), messages)
    await reloaded.send('count 1')
    assert.equal(reloaded.client.getStatus(), 'ready')
    reloaded.leave()
  }),
)

test(`${ODD} chats of another writer are loaded, joined and continued`, { timeout: 120_000 }, async () => {
  writeOddChats(server, ODD)
  await each(ODD, async (index) => {
    const id = `odd-${index}`
    const page = openPage(server.url, id)
    await until('the page shows the chat', () => page.shown().length > 0)
    assert.deepEqual(page.shown(), plain(await stored(server, id)))
    const thrown = []
    for await (const chunk of page.client.connection.joinRun(`r-${index}`, new AbortController().signal)) thrown.push(chunk.type)
    assert.ok(thrown.some((type) => type === 'RUN_FINISHED' || type === 'RUN_ERROR'), id)
    await page.send('count 1')
    assert.equal(page.client.getStatus(), 'ready', String(page.errors))
    page.leave()
  })
})
