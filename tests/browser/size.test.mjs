// Long chats and long answers stay quick.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertAllAgree, counted } from './browser.mjs'
import { setUp, TIMEOUT } from './setup.mjs'

const shared = setUp()

test('a chat of fifty turns is whole after a reload', TIMEOUT, async () => {
  const chat = await shared.chat()
  const tab = await chat.open()
  const other = await chat.open()
  for (let turn = 1; turn <= 50; turn++) {
    await tab.send(`count ${turn} every 1`)
    await tab.untilIdle(2 * turn)
  }
  await tab.page.reload()
  const transcript = await assertAllAgree(chat.device, chat.url, 100, tab, other)
  const answers = transcript.filter(({ role }) => role === 'assistant')
  answers.forEach(({ shown }, index) => assert.equal(text(shown), counted(index + 1, index + 1)))
})

test('an answer of five thousand chunks arrives whole, and the page answers meanwhile', TIMEOUT, async (context) => {
  const chat = await shared.chat()
  await chat.device.addInitScript(watch)
  const tab = await chat.open()
  const other = await chat.open()
  await tab.send('count 5000 every 1')
  await tab.untilCounted(200)
  await tab.input.fill('typed while it was written')
  const transcript = await assertAllAgree(chat.device, chat.url, 2, tab, other)
  assert.equal(text(transcript[1].shown), counted(5000, 1))
  assert.equal(await tab.input.inputValue(), 'typed while it was written')
  const { events, tasks } = await tab.page.evaluate(() => window.watched)
  const longest = Math.round(Math.max(0, ...tasks))
  context.diagnostic(`${events} events; tasks over 50 ms: ${tasks.length}, the longest ${longest} ms`)
})

test('an answer that grows does not pull the reader away from what they read', TIMEOUT, async () => {
  const chat = await shared.chat({ viewport: { width: 900, height: 500 } })
  const tab = await chat.open()
  await tab.send('count 1500 every 2')
  await tab.untilCounted(900)
  const log = tab.page.getByRole('log')
  const fromEnd = () => log.evaluate((box) => box.scrollHeight - box.scrollTop - box.clientHeight)
  assert.ok((await fromEnd()) < 64, 'the view does not follow the answer')
  await log.hover()
  await tab.page.mouse.wheel(0, -150)
  await tab.button('Jump to latest').waitFor()
  const top = await log.evaluate((box) => box.scrollTop)
  await tab.untilCounted(1100)
  assert.equal(await log.evaluate((box) => box.scrollTop), top, 'the view moved under the reader')
  await tab.button('Jump to latest').click()
  await tab.untilIdle(2)
  assert.ok((await fromEnd()) < 64, 'the view does not follow again')
  tab.assertNoErrors()
})

const text = (html) => html.replace(/<[^>]*>/g, '').trim()

/** Runs in the page: counts the events of its streams, and the tasks that keep it from answering. */
function watch() {
  const watched = (window.watched = { events: 0, tasks: [] })
  new PerformanceObserver((list) => watched.tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({
    type: 'longtask',
  })
  const { parse } = JSON
  JSON.parse = (text, ...rest) => {
    if (typeof text === 'string' && text.startsWith('{"type":')) watched.events++
    return parse(text, ...rest)
  }
}
