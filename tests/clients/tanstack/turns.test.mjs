// The stock TanStack client, page by page: each ends with the messages that the log folds to.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createS2Connection } from '../../../client/dist/index.js'
import { startServer, stored, until } from '../server.mjs'
import { openPage, plain } from './page.mjs'

let server
let number = 0
before(async () => (server = await startServer()), { timeout: 90_000 })
after(() => server?.close())

const chat = () => `turns-${number++}`
const open = (id, options) => openPage(server.url, id, options)

async function agree(id, ...pages) {
  const messages = plain(await stored(server, id))
  for (const page of pages) {
    await until(`a page of ${id} shows the chat`, () => page.settled() && page.shown().length === messages.length)
    assert.deepEqual(page.shown(), messages)
  }
  return messages
}

test('a page that sends, and one that comes later, show what is stored', async () => {
  const id = chat()
  const page = open(id)
  for (const text of ['reason tool count 3', 'count 2', 'tool count 1']) await page.send(text)
  const messages = await agree(id, page, open(id))
  assert.deepEqual(messages.map(({ role }) => role), ['user', 'assistant', 'user', 'assistant', 'user', 'assistant'])
  assert.deepEqual(messages[1].parts.map(({ type }) => type), ['thinking', 'tool-call', 'tool-result', 'text'])
  assert.deepEqual(page.errors, [])
})

test('a page reloaded in mid-answer goes on, and so does a second device', async () => {
  const id = chat()
  let page = open(id)
  await page.send('count 2')
  page.send('reason tool count 40 every 20')
  await until('the answer is half there', () => page.text().includes('10 '))
  page = page.reload()
  const device = open(id)
  await until('the reloaded page shows the answer so far', () => page.text().includes('10 ') && page.client.getIsLoading())
  await until('the device shows it, too', () => device.text().includes('10 '))
  const messages = await agree(id, page, device)
  assert.match(messages.at(-1).parts.at(-1).content, /^1 2 3 .* 40 of 2\.$/)
  assert.deepEqual([...page.errors, ...device.errors], [])
})

test('a reload before the first word of the answer waits for it', async () => {
  const id = chat()
  let page = open(id)
  page.send('wait 1 count 2')
  await until('the message is stored', async () => (await page.client.connection.hydrate(id)).activeRun !== null)
  page = page.reload()
  await until('the reloaded page waits', () => page.client.getIsLoading())
  await agree(id, page)
  assert.match(page.text(), /1 2 of 1\./)
})

test('a stop from anywhere ends the answer for every page and keeps what was written', async () => {
  const id = chat()
  const page = open(id)
  page.send('count 500 every 20')
  await until('the answer has begun', () => page.text().includes('5 '))
  const device = open(id)
  await until('the device has joined', () => device.text().includes('5 '))
  const runId = device.client.getRunId?.() ?? (await device.client.connection.hydrate(id)).activeRun.runId
  const stopped = await fetch(`${server.url}/api/chat?id=${id}&runId=${runId}`, { method: 'DELETE' })
  assert.equal(stopped.status, 202)
  const messages = await agree(id, page, device)
  assert.equal(messages.at(-1).metadata.resumable.run.outcome, 'stopped')
  assert.match(messages.at(-1).parts.at(-1).content, /^1 2 3 4 5 /)
  await page.send('count 1')
  await agree(id, page)
})

test('of two pages that send at once one is answered, and the other one says so', async () => {
  const id = chat()
  const pages = [open(id), open(id)]
  await Promise.all(pages.map((page) => page.send('count 20 every 10')))
  const refused = pages.filter((page) => page.errors.length)
  assert.equal(refused.length, 1)
  assert.match(String(refused[0].errors[0]), /409/)
  assert.equal(refused[0].client.getStatus(), 'error')
  await agree(id, pages.find((page) => !page.errors.length), open(id))
})

test('an answer that fails says why, live and after a reload', async () => {
  const id = chat()
  const page = open(id)
  await page.send('count 9 fail after 3')
  await until('the page says so', () => page.client.getStatus() === 'error')
  assert.match(String(page.errors[0]), /the test asked for it/)
  const [, answer] = await agree(id, page, open(id))
  assert.equal(answer.metadata.resumable.run.outcome, 'failed')
  assert.match(answer.metadata.resumable.run.error, /the test asked for it/)
  await page.send('count 1')
  await agree(id, page)
})

test('the last message is answered again, also when it was edited', async () => {
  const id = chat()
  const page = open(id)
  await page.send('count 1')
  await page.send('count 2')
  const [, , asked, first] = await agree(id, page)
  await page.client.reload()
  const again = await agree(id, page, open(id))
  assert.deepEqual([again.length, again[2]], [4, asked])
  assert.notEqual(again[3].id, first.id)
  const edited = { ...asked, parts: [{ type: 'text', content: 'count 5' }] }
  page.client.setMessagesManually([...page.client.getMessages().slice(0, 2), edited])
  await page.client.reload()
  const messages = await agree(id, open(id))
  assert.deepEqual([messages.length, messages[2].parts], [4, edited.parts])
  assert.match(page.text(), /5 of 2\.$/)
})

test('a tool of the client is run by it, and the answer goes on with its result', async () => {
  const id = chat()
  const where = { __toolSide: 'client', name: 'where', description: 'Where am I?', execute: () => 'here' }
  const page = open(id, { client: { tools: [where] } })
  await page.send('ask count 1')
  await until('the tool has been answered', () => page.text().includes('You are'))
  await agree(id, page, open(id))
  assert.match(page.text(), /You are "?here"?/)
  assert.deepEqual(page.errors, [])
})

test('a reload while the answer to a tool goes on keeps the message that called it', async () => {
  const id = chat()
  const where = { __toolSide: 'client', name: 'where', description: 'Where am I?', execute: () => 'here' }
  let page = open(id, { client: { tools: [where] } })
  page.send('ask count 60 every 20')
  await until('the answer goes on', () => page.text().includes('5 '))
  page = page.reload()
  const device = open(id)
  await until('the reloaded page has joined', () => page.client.getIsLoading() && page.text().includes('5 '))
  const messages = await agree(id, page, device)
  assert.deepEqual(messages.map(({ role }) => role), ['user', 'assistant', 'assistant'])
  assert.deepEqual([...page.errors, ...device.errors], [])
})

test('an interrupt is asked for once more after a reload, and its answer reaches the model', async () => {
  const id = chat()
  const book = { __toolSide: 'server', name: 'book', description: 'Books', needsApproval: true }
  let page = open(id, { client: { tools: [book] } })
  await page.send('confirm')
  await until('the page asks', () => page.client.getInterrupts().length === 1)
  page = page.reload()
  await until('the reloaded page asks', () => page.client.getInterrupts().length === 1)
  page.client.getInterrupts()[0].resolveInterrupt({ approved: true })
  await until('the answer has come', () => page.text().includes('You answered'))
  await agree(id, open(id))
  assert.match(page.text(), /"approved": true/)
  assert.deepEqual(page.client.getInterrupts(), [])
})

test('pictures stay in the message that they were sent with', async () => {
  const id = chat()
  const page = open(id)
  const source = { type: 'data', value: 'iVBORw0KGgo=', mimeType: 'image/png' }
  await page.send({ content: [{ type: 'text', content: 'count 1' }, { type: 'image', source }] })
  const [message] = await agree(id, page, open(id))
  assert.deepEqual(message.parts, [{ type: 'text', content: 'count 1' }, { type: 'image', source }])
})

test('a long chat is loaded page by page', async () => {
  const id = chat()
  const first = open(id)
  for (let turn = 1; turn <= 4; turn++) await first.send(`count ${turn}`)
  const messages = plain(await stored(server, id))
  const page = open(id, { client: { history: { pageSize: 3 } } })
  await until('the newest messages are shown', () => page.shown().length === 3)
  assert.deepEqual(page.shown(), messages.slice(-3))
  while (page.client.getHasOlderMessages()) await page.client.loadOlderMessages()
  assert.deepEqual(page.shown(), messages)
  await page.send('count 5')
  await agree(id, page, open(id))
})

test('the connection of this project loads the same history', async () => {
  const id = chat()
  await open(id).send('tool count 2')
  const connection = createS2Connection({
    mode: 'session',
    sendUrl: `${server.url}/api/chat`,
    subscribeUrl: `${server.url}/api/chat/replay?id=${id}`,
    hydrateUrl: `${server.url}/api/chat/stream`,
    body: { id },
  })
  const { messages, interrupts, page } = await connection.hydrate(id)
  assert.deepEqual(plain(messages), plain(await stored(server, id)))
  assert.deepEqual([interrupts, page], [null, { truncated: false }])
  const { messages: newest, page: older } = await connection.hydrate(id, { limit: 1 })
  assert.deepEqual([newest.map((message) => message.id), older], [[messages[1].id], { truncated: true, cursor: messages[1].id }])
  const { messages: rest } = await connection.hydrate(id, { limit: 1, before: older.cursor })
  assert.deepEqual(rest.map((message) => message.id), [messages[0].id])
})
