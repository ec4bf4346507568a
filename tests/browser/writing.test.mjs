// Sending, and sending again: what is refused comes back, what is replaced is replaced in every tab.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertAllAgree, counted } from './browser.mjs'
import { noiseImage, paintedImage } from './images.mjs'
import { setUp, TIMEOUT } from './setup.mjs'

const shared = setUp()
const REFUSED = /status of 409 .*\/api\/chat\)/
const LOST_SERVER = /net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE|SOCKET_NOT_CONNECTED)/

const plain = (transcript) => transcript.map(({ shown }) => shown.replace(/<[^>]*>/g, '').trim())

/** Holds this tab's next send back until `release` is called. */
async function holdSend(tab) {
  let release
  const released = new Promise((resolve) => (release = resolve))
  const there = new Promise((arrived) => {
    const hold = async (route) => {
      arrived()
      await released
      await route.continue()
    }
    void tab.page.route('**/api/chat', hold, { times: 1 })
  })
  return { there, release }
}

test('of two tabs that send at once, one is told and gets its text back', TIMEOUT, async () => {
  const chat = await shared.chat()
  const winner = await chat.open()
  const loser = await chat.open()
  loser.expectErrors(REFUSED)
  const hold = await holdSend(loser)
  await loser.send('count 11 please')
  await hold.there
  await winner.send('count 80 every 20')
  await winner.untilCounted(10)
  hold.release()
  await loser.page.getByRole('alert').getByText(/being written in another tab.*back in the input/).waitFor()
  assert.equal(await loser.input.inputValue(), 'count 11 please')
  await assertAllAgree(chat.device, chat.url, 2, winner, loser)

  await loser.page.reload()
  await loser.untilIdle(2)
  assert.equal(await loser.input.inputValue(), 'count 11 please', 'the text is lost by a reload')
  await loser.input.press('Enter')
  assert.deepEqual(plain(await assertAllAgree(chat.device, chat.url, 4, winner, loser)), [
    'count 80 every 20',
    counted(80, 1),
    'count 11 please',
    counted(11, 2),
  ])
})

test('a refused edit stays an edit, and the chat as it was', TIMEOUT, async () => {
  const chat = await shared.chat()
  const tab = await chat.open()
  const other = await chat.open()
  tab.expectErrors(REFUSED)
  await tab.send('count 5')
  await assertAllAgree(chat.device, chat.url, 2, tab, other)
  const hold = await holdSend(tab)
  await edit(tab, 0, 'count 6 instead')
  await hold.there
  await other.send('count 80 every 20')
  await other.untilCounted(10)
  hold.release()
  await tab.page.getByRole('alert').getByText(/Your edit is kept/).waitFor()
  const kept = tab.page.getByLabel('Edit message')
  assert.equal(await kept.inputValue(), 'count 6 instead')
  await tab.untilIdle(4)
  await kept.press('Escape')
  await assertAllAgree(chat.device, chat.url, 4, tab, other)
})

test('an answer is regenerated, in every tab and after a reload', TIMEOUT, async () => {
  const chat = await shared.chat()
  const tab = await chat.open()
  const other = await chat.open()
  await tab.send('count 5')
  await tab.untilIdle(2)
  await tab.send('count 6')
  const before = await assertAllAgree(chat.device, chat.url, 4, tab, other)

  await tab.last.getByRole('button', { name: 'Regenerate' }).click()
  await tab.until('the answer is another one', (id) => [...document.querySelectorAll('article.message')].at(-1).dataset.id !== id, before[3].id)
  const again = await assertAllAgree(chat.device, chat.url, 4, tab, other)
  assert.notEqual(again[3].id, before[3].id)
  assert.deepEqual(again.slice(0, 3), before.slice(0, 3))

  await other.page.reload()
  await other.untilIdle(4)
  await other.messages.nth(1).hover()
  await other.messages.nth(1).getByRole('button', { name: 'Regenerate' }).click()
  await other.untilIdle(2)
  const first = await assertAllAgree(chat.device, chat.url, 2, tab, other)
  assert.deepEqual(plain(first), ['count 5', counted(5, 1)])
  assert.notEqual(first[1].id, before[1].id)
})

test('a message is edited and sent again, and what followed is gone in every tab', TIMEOUT, async () => {
  const chat = await shared.chat()
  const phone = await shared.device()
  const tab = await chat.open()
  const other = await chat.open(phone)
  for (const [index, text] of ['count 5', 'count 6', 'count 7'].entries()) {
    await tab.send(text)
    await tab.untilIdle(2 * index + 2)
  }
  await assertAllAgree(phone, chat.url, 6, tab, other)
  await other.page.reload()
  await other.untilIdle(6)
  await edit(other, 2, 'count 8 now')
  await other.until('the edit is there', () => document.body.innerText.includes('count 8 now'))
  const edited = await assertAllAgree(phone, chat.url, 4, tab, other)
  assert.deepEqual(plain(edited), ['count 5', counted(5, 1), 'count 8 now', counted(8, 2)])

  await edit(tab, 0, 'count 9 first')
  await tab.untilIdle(2)
  assert.deepEqual(plain(await assertAllAgree(phone, chat.url, 2, tab, other)), ['count 9 first', counted(9, 1)])
})

test('images are attached, pasted and dropped, and seen in every tab', TIMEOUT, async () => {
  const chat = await shared.chat()
  const tab = await chat.open()
  const other = await chat.open()
  const large = await paintedImage(tab.page, 4000, 3000)
  const files = { name: 'large.png', mimeType: 'image/png', buffer: Buffer.from(large, 'base64') }
  await tab.page.locator('input[type=file]').setInputFiles(files)
  await tab.page.getByRole('list', { name: 'Attached images' }).getByRole('listitem').first().waitFor()
  for (const event of ['paste', 'drop']) {
    const small = await paintedImage(tab.page, 40, 30)
    await tab.page.evaluate(handOver, { event, small })
  }
  const attached = tab.page.getByRole('list', { name: 'Attached images' }).getByRole('listitem')
  await attached.nth(2).waitFor()
  await attached.nth(1).getByRole('button', { name: /Remove/ }).click()
  await tab.send('images please, count 3')
  const transcript = await assertAllAgree(chat.device, chat.url, 2, tab, other)
  assert.match(plain(transcript)[1], /Images: \[\["image\/jpeg", "image\/png"\]\]\./)
  const sizes = await other.page.locator('.picture img').evaluateAll((images) => images.map((image) => [image.naturalWidth, image.src.length]))
  assert.equal(sizes.length, 2)
  assert.ok(sizes[0][0] <= 1568 && sizes[0][1] < 230_000, `the large image was sent as ${sizes[0]}`)

  await edit(other, 0, 'images again, count 3')
  await other.until('the edit is there', () => document.body.innerText.includes('images again'))
  const edited = await assertAllAgree(chat.device, chat.url, 2, tab, other)
  assert.match(plain(edited)[1], /Images: \[\["image\/jpeg", "image\/png"\]\]\./, 'the edited message lost its images')
})

test('a chat that is too large for a snapshot at each turn stays right in every tab', TIMEOUT, async () => {
  const chat = await shared.chat()
  const tab = await chat.open()
  const other = await chat.open()
  for (const name of ['one.png', 'two.png', 'three.png']) {
    const buffer = Buffer.from(await noiseImage(tab.page, 700), 'base64')
    await tab.page.locator('input[type=file]').setInputFiles({ name, mimeType: 'image/png', buffer })
  }
  await tab.page.getByRole('list', { name: 'Attached images' }).getByRole('listitem').nth(2).waitFor()
  await tab.send('images, count 3')
  await assertAllAgree(chat.device, chat.url, 2, tab, other)
  const size = await other.page.locator('.picture img').evaluateAll((images) => images.reduce((sum, { src }) => sum + src.length, 0))
  assert.ok(size > 256 * 1024, `the chat has only ${size} characters of images`)
  for (const [index, sender] of [tab, other, tab].entries()) {
    await sender.send(`Is there a train number ${index}?`)
    await assertAllAgree(chat.device, chat.url, 4 + 2 * index, tab, other)
  }
  await other.send('count 6, fail after 2')
  for (const one of [tab, other]) await one.page.getByRole('alert').waitFor()
  await tab.send('count 4')
  await assertAllAgree(chat.device, chat.url, 12, tab, other)
  await edit(other, 2, 'count 7 instead')
  await other.until('the edit is there', () => document.body.innerText.includes('count 7 instead'))
  await assertAllAgree(chat.device, chat.url, 4, tab, other)
})

test('a message that is too large comes back with the reason', TIMEOUT, async () => {
  const chat = await shared.chat()
  const tab = await chat.open()
  tab.expectErrors(/status of 413 .*\/api\/chat\)/)
  const text = 'count 3 '.repeat(150_000).trim()
  await tab.send(text)
  await tab.page.getByRole('alert').getByText(/too large.*back in the input/).waitFor()
  assert.equal((await tab.input.inputValue()).length, text.length)
  await tab.send('count 3')
  await assertAllAgree(chat.device, chat.url, 2, tab)
})

test('what is sent before the chat is there waits for it', TIMEOUT, async () => {
  const chat = await shared.chat()
  const tab = await chat.open()
  await tab.send('count 5')
  await tab.untilIdle(2)
  let release
  const released = new Promise((resolve) => (release = resolve))
  await tab.page.route('**/api/chat/replay*', async (route) => (await released, route.continue()))
  await tab.page.reload()
  await tab.send('count 6')
  await tab.page.getByRole('region', { name: 'Queued messages' }).getByText('count 6').waitFor()
  release()
  const transcript = await assertAllAgree(chat.device, chat.url, 4, tab)
  assert.equal(plain(transcript)[3], counted(6, 2), 'it was sent without what came before')
})

test('a page that is left while it sends loses no text, and sends none twice', TIMEOUT, async () => {
  const chat = await shared.chat()
  const tab = await chat.open()
  await tab.send('count 4')
  await tab.untilIdle(2)
  const hold = await holdSend(tab)
  await tab.send('count 5')
  await hold.there
  await tab.page.reload()
  await tab.untilIdle(2)
  assert.equal(await tab.input.inputValue(), 'count 5', 'a message that did not arrive is gone')
  hold.release()

  // Now it arrives, but the page is left before the answer says so.
  const arrived = new Promise((resolve) => {
    const swallow = async (route) => resolve(await route.fetch())
    void tab.page.route('**/api/chat', swallow, { times: 1 })
  })
  await tab.input.press('Enter')
  await arrived
  await tab.page.reload()
  await tab.until('the input is empty', () => document.querySelector('#message').value === '')
  assert.deepEqual(plain(await assertAllAgree(chat.device, chat.url, 4, tab)).slice(2), ['count 5', counted(5, 2)])
})

test('a file that is no image is refused with its name', TIMEOUT, async () => {
  const chat = await shared.chat()
  const tab = await chat.open()
  await tab.page.locator('input[type=file]').setInputFiles({ name: 'notes.png', mimeType: 'image/png', buffer: Buffer.from('no image') })
  await tab.page.getByRole('alert').getByText('notes.png is not an image').waitFor()
  tab.assertNoErrors()
})

test('an answer that fails says so in every tab, and can be tried again', TIMEOUT, async () => {
  const chat = await shared.chat()
  const tab = await chat.open()
  const other = await chat.open()
  await tab.send('count 10, fail after 4')
  for (const one of [tab, other]) await one.page.getByRole('alert').getByText('the test asked for it').waitFor()
  assert.equal(await tab.status(), 'error')
  await tab.button('Try again').click()
  await tab.until('the notice is gone', () => document.querySelector('[role=alert]') === null)
  assert.equal(plain(await assertAllAgree(chat.device, chat.url, 2, tab, other))[1], counted(10, 1))
})

test('a message that cannot be sent comes back when its sender gives up, and arrives once when it is sent again', TIMEOUT, async () => {
  const chat = await shared.chat()
  const tab = await chat.open()
  tab.expectErrors(LOST_SERVER)
  await tab.send('count 4')
  await tab.untilIdle(2)
  await shared.server.kill()
  await tab.send('count 5')
  await tab.button('Stop').click()
  await tab.until('the text is back', () => document.querySelector('#message').value === 'count 5')
  assert.equal(await tab.messages.count(), 2)
  await shared.server.start()
  await tab.untilIdle(2)
  await tab.input.press('Enter')
  assert.deepEqual(plain(await assertAllAgree(chat.device, chat.url, 4, tab)).slice(2), ['count 5', counted(5, 2)])
})

async function edit(tab, index, text) {
  const message = tab.messages.nth(index)
  await message.hover()
  await message.getByRole('button', { name: 'Edit' }).click()
  const field = tab.page.getByLabel('Edit message')
  await field.fill(text)
  await field.press('Enter')
}

/** Runs in the page: gives it a picture as a clipboard or a dragging hand does. */
function handOver({ event, small }) {
  const bytes = Uint8Array.from(atob(small), (character) => character.charCodeAt(0))
  const data = new DataTransfer()
  data.items.add(new File([bytes], `${event}.png`, { type: 'image/png' }))
  const target = document.querySelector('#message')
  const options = { bubbles: true, cancelable: true }
  if (event === 'paste') target.dispatchEvent(new ClipboardEvent('paste', { ...options, clipboardData: data }))
  else for (const type of ['dragover', 'drop']) target.dispatchEvent(new DragEvent(type, { ...options, dataTransfer: data }))
}
