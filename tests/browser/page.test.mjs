// The page itself: its addresses, its keys, what it makes of text, and whether everybody can use it.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { violations } from './axe.mjs'
import { assertAllAgree, counted, openTab } from './browser.mjs'
import { setUp, TIMEOUT } from './setup.mjs'

const shared = setUp()
const IMAGES = fileURLToPath(new URL('../../docs/images', import.meta.url))

test('each chat has its address; the list, going back and reloading lead to it', TIMEOUT, async () => {
  const device = await shared.device()
  const tab = await openTab(device, shared.server.url)
  const { page } = tab
  await page.waitForURL(/\/chat\/[a-z0-9]{16}$/)
  const first = page.url()
  await tab.send('count 5\nand more')
  await tab.untilIdle(2)
  const list = page.getByRole('navigation', { name: 'Chats' })
  await list.getByRole('link', { name: 'count 5', exact: true }).waitFor()
  assert.equal(await page.title(), 'count 5')

  await page.getByRole('button', { name: 'New chat' }).click()
  await page.waitForURL((url) => url.href !== first)
  await tab.send('count 6')
  await tab.untilIdle(2)
  assert.deepEqual(await list.getByRole('link').allInnerTexts(), ['count 6', 'count 5'])
  await list.getByRole('link', { name: 'count 5' }).click()
  await tab.until('the first chat is there', () => document.querySelector('article.message')?.textContent.includes('count 5'))
  assert.equal(page.url(), first)
  await page.goBack()
  await tab.until('the second chat is there', () => document.querySelector('article.message')?.textContent.includes('count 6'))
  await page.goForward()
  await page.reload()
  await tab.untilIdle(2)
  assert.equal(page.url(), first)

  await list.getByRole('listitem').first().hover()
  await list.getByRole('button', { name: 'Remove “count 6” from list' }).click()
  assert.equal(await list.getByRole('link').count(), 1)
  await tab.button('Undo').click()
  assert.equal(await list.getByRole('link').count(), 2)
  tab.assertNoErrors()
})

test('leaving a chat in the middle of an answer does not end the answer', TIMEOUT, async () => {
  const chat = await shared.chat()
  const tab = await chat.open()
  await tab.send('count 100 every 20')
  await tab.untilCounted(20)
  await tab.page.getByRole('button', { name: 'New chat' }).click()
  await tab.send('count 5')
  await tab.untilIdle(2)
  await tab.page.getByRole('link', { name: 'count 100 every 20' }).click()
  const [, answer] = await assertAllAgree(chat.device, chat.url, 2, tab)
  assert.match(answer.shown, new RegExp(counted(100, 1)))
})

test('the keyboard is enough', TIMEOUT, async () => {
  const chat = await shared.chat()
  const tab = await chat.open()
  const { keyboard } = tab.page
  await tab.input.waitFor()
  assert.equal(await tab.input.evaluate((input) => input === document.activeElement), true, 'the input has no focus')
  await keyboard.type('count 1000 every 20')
  await keyboard.press('Shift+Enter')
  await keyboard.type('second line')
  await keyboard.press('Enter')
  await tab.untilCounted(5)
  assert.equal((await tab.texts())[0], 'count 1000 every 20\nsecond line')
  await keyboard.press('Enter')
  await keyboard.press('Escape')
  await tab.untilIdle(2)

  await tab.page.locator('.message').last().getByRole('button', { name: 'Copy message' }).focus()
  const outline = await tab.page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle)
  assert.equal(outline, 'solid', 'the focus cannot be seen')
  await keyboard.press('Tab')
  assert.equal(await tab.page.evaluate(() => document.activeElement.textContent), 'Regenerate')
  tab.assertNoErrors()
})

test('what is written in an answer stays text: no HTML, no script, nothing loaded from elsewhere', TIMEOUT, async () => {
  const chat = await shared.chat()
  const requested = []
  chat.device.on('request', (request) => requested.push(request.url()))
  const tab = await chat.open()
  await tab.send('attack')
  await tab.untilIdle(2)
  const [, answer] = await assertAllAgree(chat.device, chat.url, 2, tab)
  assert.equal(await tab.last.locator('script, iframe, img, b').count(), 0, answer.shown)
  assert.equal(await tab.page.evaluate(() => window.attacked), undefined)
  const hrefs = await tab.last.locator('a').evaluateAll((links) => links.map((link) => [link.getAttribute('href'), link.rel]))
  assert.deepEqual(hrefs, [
    ['', 'noopener noreferrer nofollow'],
    ['https://example.com/picture?what=was+said', 'noopener noreferrer nofollow'],
    ['https://example.com/', 'noopener noreferrer nofollow'],
  ])
  const elsewhere = requested.filter((url) => !url.startsWith(shared.server.url) && !url.startsWith('data:'))
  assert.deepEqual(elsewhere, [])
})

test('text is copied whole, code without its frame', TIMEOUT, async () => {
  const chat = await shared.chat({ permissions: ['clipboard-read', 'clipboard-write'] })
  const tab = await chat.open()
  await tab.send('Is there a train?')
  await tab.untilIdle(2)
  const clipboard = () => tab.page.evaluate(() => navigator.clipboard.readText())
  await tab.button('Copy code').click()
  assert.match(await clipboard(), /^async for train in .*train\.departs\)$/s)
  await tab.last.getByRole('button', { name: 'Copy message' }).click()
  assert.match(await clipboard(), /^Two trains leave .*\| --- .*\*09:36\*\?/s)
  tab.assertNoErrors()
})

for (const colorScheme of ['light', 'dark']) {
  test(`axe finds nothing on the ${colorScheme} page`, TIMEOUT, async () => {
    const looks = { colorScheme, reducedMotion: 'reduce' }
    const chat = await shared.chat(looks)
    const tab = await chat.open()
    const phone = await shared.device({ ...looks, viewport: { width: 390, height: 844 }, hasTouch: true })
    await tab.button('New chat').click()
    await tab.page.getByRole('heading', { name: 'What would you like to know?' }).waitFor()
    await tab.page.waitForTimeout(50)
    assert.deepEqual(await violations(tab.page), [], 'an empty chat')
    await tab.send('Is there a train?')
    await tab.untilIdle(2)
    await tab.page.locator('summary').first().click()
    await tab.page.locator('summary').nth(1).click()
    await tab.send('count 10, fail after 4 always')
    await tab.page.getByRole('alert').waitFor()
    assert.deepEqual(await violations(tab.page), [], 'a chat with everything')
    const small = await openTab(phone, tab.page.url())
    await small.untilIdle(4)
    await small.button('Chats').click()
    assert.deepEqual(await violations(small.page), [], 'a phone with its list open')
    await tab.send('count 300 every 20')
    await tab.untilCounted(10)
    assert.deepEqual(await violations(tab.page), [], 'an answer being written')
    tab.assertNoErrors()
    small.assertNoErrors()
  })
}

test('the page is as the pictures show it', TIMEOUT, async () => {
  const folder = process.env.SCREENSHOTS ? IMAGES : await mkdtemp(join(tmpdir(), 'chat-screenshots-'))
  const shoot = async (name, device, dress) => {
    const context = await shared.device(device)
    await context.addInitScript(rememberChats)
    const url = `${shared.server.url}/chat/picture-${name}-${process.pid}`
    const tab = await openTab(context, url)
    await tab.send('Which train from Lyon to Marseille is the fastest after nine?')
    await tab.untilIdle(2)
    await dress?.(tab)
    await tab.page.mouse.move(0, 0)
    await tab.page.waitForTimeout(400)
    await tab.page.screenshot({ path: join(folder, `${name}.png`) })
    tab.assertNoErrors()
  }
  const desk = { viewport: { width: 1200, height: 800 } }
  await shoot('chat-light', { ...desk, colorScheme: 'light' })
  await shoot('chat-dark', { ...desk, colorScheme: 'dark' }, unfold)
  await shoot('chat-phone', { viewport: { width: 390, height: 780 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true })
  if (folder !== IMAGES) await rm(folder, { recursive: true })
})

/** Runs in the page: what its list holds before. */
function rememberChats() {
  const titles = ['Packing list for a week in Provence', 'OAuth in two paragraphs', 'A toast for a colleague who leaves']
  const chats = titles.map((title, index) => ({ id: `past-${index}`, title, updatedAt: 1_700_000_000_000 - index }))
  localStorage.getItem('chats') ?? localStorage.setItem('chats', JSON.stringify(chats))
}

async function unfold(tab) {
  await tab.page.locator('.reasoning > summary').click()
  await tab.page.locator('.tool > summary').click()
  await tab.page.getByRole('log').evaluate((log) => log.scrollTo(0, 0))
}
