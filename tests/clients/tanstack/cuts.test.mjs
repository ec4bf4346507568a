// Broken connections under the stock client: wherever they break, the answer is whole and shown once.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startProxy } from '../proxy.mjs'
import { startServer, stored, until } from '../server.mjs'
import { openPage, plain } from './page.mjs'

const TEXT = 'reason tool count 6'
let server
let number = 0
before(async () => (server = await startServer()), { timeout: 90_000 })
after(() => server?.close())

const chat = () => `cuts-${number++}`

/** Sends through a proxy with this plan, and returns what the page shows when all has settled. */
async function through(plan, text = TEXT) {
  const id = chat()
  const proxy = await startProxy(server.url, plan)
  const page = openPage(proxy.url, id)
  try {
    await page.send(text)
    await until(`a page of ${id} settles`, page.settled)
    const status = page.client.getStatus()
    return { id, page, proxy, status, shown: page.shown(), messages: plain(await stored(server, id)) }
  } finally {
    page.leave()
    await proxy.close()
  }
}

// A body that a proxy ends, after the first of several runs of one answer, counts as whole: no server can tell the client.
for (const [then, text] of [['break', TEXT], ['mid-line', TEXT], ['end', 'reason count 6']]) {
  test(`each response lets a few more events through (${then})`, async () => {
    for (let events = 1; events <= 8; events++) {
      const plan = ({ method }) => (method === 'POST' ? { events, then } : undefined)
      const { page, proxy, shown, messages } = await through(plan, text)
      assert.deepEqual(page.errors, [], `${events} events`)
      assert.deepEqual(shown, messages, `${events} events`)
      const runs = new Set(proxy.seen.filter(({ method }) => method === 'POST').map(({ headers }) => headers['x-run-id']))
      assert.equal(runs.size, 1)
      assert.equal(messages.length, 2)
    }
  })
}

test('the first response breaks at every event', async () => {
  const { proxy } = await through(() => undefined)
  assert.equal(proxy.seen.filter(({ method }) => method === 'POST').length, 1)
  for (let events = 1; events <= 26; events++) {
    let posts = 0
    const then = events % 2 ? 'break' : 'mid-line'
    const cut = ({ method }) => (method === 'POST' && posts++ === 0 ? { events, then } : undefined)
    const { page, status, shown, messages } = await through(cut)
    assert.deepEqual([page.errors, status], [[], 'ready'], `${events} events`)
    assert.deepEqual(shown, messages, `${events} events`)
  }
})

test('a join that breaks off at every event goes on', async () => {
  const id = chat()
  const first = openPage(server.url, id)
  first.send('reason count 30 every 30')
  await until('the answer has begun', () => first.text().includes('1 '))
  const proxy = await startProxy(server.url, ({ url }) => (url.includes('runId=') ? { events: 3, then: 'break' } : undefined))
  const page = openPage(proxy.url, id)
  await until('the page shows the whole answer', () => page.text().endsWith('of 1.') && page.settled())
  assert.deepEqual(page.shown(), plain(await stored(server, id)))
  assert.deepEqual(page.errors, [])
  for (const each of [first, page]) each.leave()
  await proxy.close()
})

test('a response that breaks before its first event fails, and the message is not lost', async () => {
  const { status, messages } = await through(({ method }) => (method === 'POST' ? { events: 0, then: 'break' } : undefined))
  assert.equal(status, 'error')
  assert.equal(messages.length, 2)
})

test('a killed server ends the answer as lost, and the next one is answered', async () => {
  const id = chat()
  const page = openPage(server.url, id, { reconnect: { maxAttempts: 300, delayMs: 100 } })
  const sending = page.send('count 500 every 20')
  await until('the answer has begun', () => page.text().includes('5 '))
  await server.kill()
  await server.start()
  await sending
  await until('the page settles', page.settled)
  assert.equal(page.client.getStatus(), 'error')
  const messages = plain(await stored(server, id))
  assert.equal(messages[1].metadata.resumable.run.outcome, 'lost')
  assert.deepEqual(page.shown(), messages)
  await page.send('count 1')
  assert.deepEqual(page.shown(), plain(await stored(server, id)))
  page.leave()
})

test('a server that shuts down finishes what it can, and the page follows', async () => {
  const own = await startServer()
  const id = chat()
  const page = openPage(own.url, id, { reconnect: { maxAttempts: 300, delayMs: 100 } })
  const sending = page.send('count 500 every 20')
  await until('the answer has begun', () => page.text().includes('5 '))
  await own.stop()
  await own.start()
  await sending
  await until('the page settles', page.settled)
  assert.deepEqual(page.shown(), plain(await stored(own, id)))
  page.leave()
  await own.close()
})

test('a model that says nothing for long is waited for', async () => {
  const { page, shown, messages } = await through(() => undefined, 'wait 4 count 2')
  assert.deepEqual([page.errors, shown], [[], messages])
})
