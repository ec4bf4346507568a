// What readers see of an answer while it is written, whatever happens to them or to the server.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertAllAgree, counted, openTab } from './browser.mjs'
import { startNetwork } from './network.mjs'
import { setUp, TIMEOUT } from './setup.mjs'

const shared = setUp()
const LOST_NETWORK = /net::ERR_(INTERNET_DISCONNECTED|INCOMPLETE_CHUNKED_ENCODING|CONNECTION_RESET|EMPTY_RESPONSE)/
const LOST_SERVER = /net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE|SOCKET_NOT_CONNECTED)/

const lastShown = (transcript) => transcript.at(-1).shown.replace(/<[^>]*>/g, '').trim()

test('a reload in the middle of an answer shows what was there and goes on', TIMEOUT, async () => {
  const chat = await shared.chat()
  const tab = await chat.open()
  await tab.send('count 150 every 20')
  await tab.untilCounted(30)
  await tab.page.reload()
  await tab.untilCounted(31)
  assert.equal(await tab.button('Stop').isVisible(), true)
  await tab.page.reload()
  const transcript = await assertAllAgree(chat.device, chat.url, 2, tab)
  assert.equal(lastShown(transcript), counted(150, 1))
})

test('a second tab and a second device follow the answer from wherever they come in', TIMEOUT, async () => {
  const chat = await shared.chat()
  const phone = await shared.device()
  const first = await chat.open()
  const second = await chat.open()
  await second.until('the second tab is live', () => document.querySelector('main').dataset.connection === 'live')
  await first.send('count 150 every 20')
  await second.untilCounted(20)
  const third = await chat.open(phone)
  await third.untilCounted(60)
  for (const tab of [first, second, third]) assert.equal(await tab.button('Stop').isVisible(), true)
  const transcript = await assertAllAgree(chat.device, chat.url, 2, first, second, third)
  assert.equal(lastShown(transcript), counted(150, 1))

  await third.send('count 20')
  await assertAllAgree(chat.device, chat.url, 4, first, second, third)
})

test('a tab without a network for a while misses nothing and doubles nothing', TIMEOUT, async () => {
  const { device, path } = await shared.chat()
  const network = await startNetwork(shared.server.url)
  const tab = await openTab(device, network.url + path)
  tab.expectErrors(LOST_NETWORK)
  await tab.send('count 250 every 20')
  for (const seen of [30, 120]) {
    await tab.untilCounted(seen)
    await network.lose(device)
    await tab.page.getByText('Reconnecting…').waitFor()
    assert.equal(await tab.button('Stop').isVisible(), true)
    await network.find(device)
  }
  const transcript = await assertAllAgree(device, network.url + path, 2, tab)
  assert.equal(lastShown(transcript), counted(250, 1))
  await network.close()
})

test('an answer that ended while the tab had no network is there when it comes back', TIMEOUT, async () => {
  const { device, path, url } = await shared.chat()
  const phone = await shared.device()
  const network = await startNetwork(shared.server.url)
  const tab = await openTab(device, network.url + path)
  const other = await openTab(phone, url)
  tab.expectErrors(LOST_NETWORK)
  await tab.send('count 60 every 20')
  await tab.untilCounted(20)
  await network.lose(device)
  await other.untilIdle(2)
  await other.send('count 20')
  await other.untilIdle(4)
  await network.find(device)
  await assertAllAgree(phone, url, 4, tab, other)
  await tab.send('count 10')
  await assertAllAgree(phone, url, 6, tab, other)
  await network.close()
})

test('a server that is killed costs the answer, not the chat', TIMEOUT, async () => {
  const chat = await shared.chat()
  const tab = await chat.open()
  const other = await chat.open()
  for (const one of [tab, other]) one.expectErrors(LOST_SERVER)
  await tab.send('count 400 every 20')
  await tab.untilCounted(40)
  await shared.server.kill()
  await shared.server.start()
  for (const one of [tab, other]) {
    await one.page.getByRole('alert').getByText('Cut off').waitFor()
    await one.untilIdle(2)
    assert.match((await one.texts()).at(-1), /^1 2 3 .* 40 /s)
  }
  await other.button('Try again').click()
  await other.untilCounted(2)
  await other.button('Stop').click()
  await other.untilIdle(2)
  await tab.send('count 30')
  const transcript = await assertAllAgree(chat.device, chat.url, 4, tab, other)
  assert.equal(lastShown(transcript), counted(30, 2))
})

test('a server that refuses is told of, and asked again when the user wants it', TIMEOUT, async () => {
  const chat = await shared.chat()
  const tab = await chat.open()
  tab.expectErrors(/status of 403/)
  await tab.send('count 5')
  await tab.untilIdle(2)
  await tab.page.route('**/api/chat/replay*', (route) => route.fulfill({ status: 403, json: { detail: 'no' } }))
  await tab.page.reload()
  await tab.page.getByText('Not connected').waitFor()
  await tab.page.unroute('**/api/chat/replay*')
  await tab.button('Try again').click()
  await assertAllAgree(chat.device, chat.url, 2, tab)
})

test('a message that no page can show costs nothing but itself', TIMEOUT, async () => {
  const chat = await shared.chat()
  const messages = [{ id: 'odd', role: 'user', parts: [{ type: 'image' }, { type: 'text', content: 'count 4' }] }]
  const answer = await fetch(`${shared.server.url}/api/chat`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ id: chat.path.split('/').at(-1), messages }),
  })
  assert.equal(answer.status, 202)
  const tab = await chat.open()
  await tab.page.getByText('This message cannot be shown.').waitFor()
  await tab.page.getByText(counted(4, 1)).waitFor()
  assert.equal(await tab.button('Send').count(), 1)
})

test('an answer that the model cut short says why in every tab, and after a reload', TIMEOUT, async () => {
  const chat = await shared.chat()
  const tab = await chat.open()
  const other = await chat.open()
  await tab.send('count 4, finish length')
  for (const one of [tab, other]) await one.page.getByText('Length limit', { exact: true }).waitFor()
  await tab.send('count 5, finish content_filter')
  for (const one of [tab, other]) await one.page.getByText('Content filter', { exact: true }).waitFor()
  await assertAllAgree(chat.device, chat.url, 4, tab, other)
  await tab.page.reload()
  await tab.untilIdle(4)
  assert.deepEqual(await tab.page.locator('.outcome strong').allInnerTexts(), ['Length limit', 'Content filter'])
})

test('follow-ups that were written while an answer ran are answered one after the other', TIMEOUT, async () => {
  const chat = await shared.chat()
  const tab = await chat.open()
  const other = await chat.open()
  await tab.send('count 60 every 20')
  await tab.untilCounted(5)
  for (const text of ['count 6', 'count 7']) await tab.send(text)
  assert.equal(await tab.page.locator('.queue li').count(), 2)
  const transcript = await assertAllAgree(chat.device, chat.url, 6, tab, other)
  const shown = transcript.map(({ shown }) => shown.replace(/<[^>]*>/g, '').trim())
  assert.deepEqual(shown.slice(2), ['count 6', counted(6, 2), 'count 7', counted(7, 3)])
})

test('an answer is stopped from another tab', TIMEOUT, async () => {
  const chat = await shared.chat()
  const tab = await chat.open()
  const other = await chat.open()
  await tab.send('count 1000 every 20')
  await other.untilCounted(20)
  await other.button('Stop').click()
  const transcript = await assertAllAgree(chat.device, chat.url, 2, tab, other)
  assert.match(lastShown(transcript), /^1 2 3 /)
  assert.doesNotMatch(lastShown(transcript), / of /)
  await tab.send('count 10')
  assert.equal(lastShown(await assertAllAgree(chat.device, chat.url, 4, tab, other)), counted(10, 2))
})

test('a hidden tab lets go of its stream, and shows everything when it is seen again', TIMEOUT, async () => {
  const chat = await shared.chat()
  const tab = await chat.open()
  const other = await chat.open()
  await tab.send('count 20')
  await tab.untilIdle(2)
  await tab.page.clock.install()
  await setHidden(tab.page, true)
  await tab.page.clock.fastForward(31_000)
  await tab.until('the stream is let go', () => document.querySelector('main').dataset.connection === 'paused')
  await other.send('count 60 every 10')
  await other.untilIdle(4)
  assert.equal(await tab.messages.count(), 2)
  await setHidden(tab.page, false)
  await assertAllAgree(chat.device, chat.url, 4, tab, other)
})

/** Headless tabs are always visible; this is what the page sees of one that is not. */
async function setHidden(page, hidden) {
  await page.evaluate((hidden) => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden })
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => (hidden ? 'hidden' : 'visible') })
    document.dispatchEvent(new Event('visibilitychange'))
  }, hidden)
}
