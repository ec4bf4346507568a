// Long chats: rendered in full only where the reader is, whole for everything else.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { violations } from './axe.mjs'
import { launch, openTab } from './browser.mjs'
import { snapshot, startScripted } from './scripted.mjs'
import { TIMEOUT } from './setup.mjs'

const TURNS = 2000
const FINISHED = { outcome: 'finished', finishReason: 'stop' }
const ROWS = Array.from({ length: TURNS }, (_, turn) => [
  ['user', `Question ${turn}.`],
  ['assistant', `Answer **${turn}** with\n\n- a list\n- of two\n\n${'and some text '.repeat(turn % 40)}`, FINISHED],
]).flat()

let server
let browser
before(async () => {
  server = await startScripted()
  browser = await launch()
})
after(async () => {
  await browser?.close()
  await server?.close()
})

async function open(name) {
  const { script, url } = server.chat(name)
  script.emit(snapshot(...ROWS))
  const context = await browser.newContext({ viewport: { width: 1000, height: 700 } })
  const tab = await openTab(context, url)
  await tab.untilIdle(2 * TURNS)
  return { script, tab, log: tab.page.getByRole('log') }
}

const fullOnes = (tab) => tab.page.locator('.message-actions').count()

test('a chat of two thousand turns is there whole, and rendered in full only near its end', TIMEOUT, async () => {
  const { tab, log } = await open('whole')
  const fromEnd = await log.evaluate((box) => box.scrollHeight - box.scrollTop - box.clientHeight)
  assert.ok(fromEnd < 64, `the view is ${fromEnd} pixels from the end`)
  assert.equal(await tab.last.locator('strong').innerText(), String(TURNS - 1))
  const full = await fullOnes(tab)
  assert.ok(full >= 20 && full <= 100, `${full} messages are rendered in full`)
  const roles = await tab.messages.evaluateAll((all) => all.map(({ dataset }) => dataset.id))
  assert.deepEqual(roles, ROWS.map((_, index) => `m${index + 1}`), 'the order is another')
  assert.deepEqual(await violations(tab.page), [])
  tab.assertNoErrors()
})

test('typing renders no message again', TIMEOUT, async () => {
  const { tab } = await open('typing')
  await tab.page.evaluate(() => {
    window.changes = 0
    const observer = new MutationObserver((changes) => (window.changes += changes.length))
    observer.observe(document.querySelector('.transcript'), { subtree: true, childList: true, characterData: true, attributes: true })
  })
  await tab.input.pressSequentially('typed into a long chat')
  assert.equal(await tab.input.inputValue(), 'typed into a long chat')
  assert.equal(await tab.page.evaluate(() => window.changes), 0)
})

test('what the reader scrolls to is rendered in full, and stays where it is', TIMEOUT, async () => {
  const { tab, log } = await open('scrolling')
  await log.hover()
  for (let step = 0; step < 12; step++) {
    await tab.page.mouse.wheel(0, -600)
    await tab.page.waitForTimeout(60)
  }
  await tab.button('Jump to latest').waitFor()
  await tab.until('the visible messages are in full', () => {
    const { top, bottom } = document.querySelector('.transcript').getBoundingClientRect()
    const seen = [...document.querySelectorAll('article.message')].filter((message) => {
      const box = message.getBoundingClientRect()
      return box.bottom > top && box.top < bottom
    })
    return seen.length > 0 && seen.every((message) => message.querySelector('.message-actions'))
  })
  const place = () =>
    log.evaluate((box) => {
      const { top } = box.getBoundingClientRect()
      const first = [...box.querySelectorAll('article.message')].find((message) => message.getBoundingClientRect().top >= top)
      return [first.dataset.id, Math.round(first.getBoundingClientRect().top)]
    })
  await tab.page.waitForTimeout(300)
  const before = await place()
  await tab.page.waitForTimeout(700)
  assert.deepEqual(await place(), before, 'the text moved under the reader')
  await tab.button('Jump to latest').click()
  await tab.until('the end is in view', () => {
    const box = document.querySelector('.transcript')
    return box.scrollHeight - box.scrollTop - box.clientHeight < 64
  })
})

test('the browser finds text in messages that are far away', TIMEOUT, async () => {
  const { tab } = await open('finding')
  const found = await tab.page.evaluate(() => {
    const there = window.find('Question 17.', false, false, true)
    const message = getSelection().anchorNode?.parentElement.closest('article')
    message?.scrollIntoView()
    return [there, message?.dataset.id]
  })
  assert.deepEqual(found, [true, 'm35'])
  await tab.until('the message is in view and in full', () => {
    const message = document.querySelector('[data-id="m35"]')
    const { top } = message.getBoundingClientRect()
    return top > 0 && top < innerHeight && message.querySelector('.message-actions') !== null
  })
})

test('an old message of a long chat can be edited, and the edit stays open while the chat grows', TIMEOUT, async () => {
  const { tab, script } = await open('editing')
  await tab.page.locator('[data-id="m41"]').scrollIntoViewIfNeeded()
  const message = tab.page.locator('[data-id="m41"]')
  await message.hover()
  await message.getByRole('button', { name: 'Edit' }).click()
  await tab.page.getByLabel('Edit message').fill('Question 20, but better')
  script.emit(snapshot(...ROWS, ['user', 'One more.'], ['assistant', 'Yes.', FINISHED]))
  await tab.untilIdle(2 * TURNS + 2)
  assert.equal(await tab.page.getByLabel('Edit message').inputValue(), 'Question 20, but better')
})
