// Three turns through the published ChatClient: node conversation.mjs BASE_URL CHAT_ID. Prints one JSON object.
import { ChatClient } from '@tanstack/ai-client'
import { createConnection } from './connection.mjs'

const [base, id] = process.argv.slice(2)
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

function openTab() {
  const { connection, seen, stop } = createConnection(base, id)
  const errors = []
  const client = new ChatClient({ connection, threadId: id, onError: (error) => errors.push(String(error)) })
  client.subscribe()
  return { client, seen, stop, errors }
}

async function until(what, holds, seconds = 20) {
  const deadline = Date.now() + seconds * 1000
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`waited ${seconds} s in vain until ${what}`)
    await sleep(10)
  }
}

const shown = (tab) => tab.client.getMessages().map(({ createdAt, ...message }) => message)
const text = (tab) =>
  shown(tab)
    .at(-1)
    ?.parts.filter((part) => part.type === 'text')
    .map((part) => part.content)
    .join('') ?? ''
const settled = (tab, messages) => shown(tab).length === messages && !tab.client.getSessionGenerating() && text(tab)

const result = {}
async function record(turn, messages, ...tabs) {
  const fresh = openTab()
  for (const tab of [...tabs, fresh]) await until(`${turn} is over`, () => settled(tab, messages))
  result[turn] = [...tabs, fresh].map(shown)
  fresh.client.dispose()
}

let first = openTab()
const second = openTab()
await until('both tabs follow', () => first.client.getIsSubscribed() && second.client.getIsSubscribed())

await first.client.sendMessage('Hello from the first tab')
await record('plain', 2, first, second)

const sending = first.client.sendMessage('Reload while this is written').catch(() => {})
await until('the answer is half there', () => shown(first).length === 4 && text(first).length > 20)
const before = text(first)
first.client.dispose()
await sending
first = openTab()
await until('the reloaded tab shows what was there', () => text(first).startsWith(before))
await record('reload', 4, first, second)

const long = second.client.sendMessage('Something long, please').catch(() => {})
await until('both tabs show the long answer', () => [first, second].every((tab) => shown(tab).length === 6 && text(tab).length > 20))
result.stopStatus = await first.stop()
await record('stop', 6, first, second)
await long

result.errors = [...first.errors, ...second.errors]
result.ids = second.seen.ids
for (const tab of [first, second]) tab.client.dispose()
console.log(JSON.stringify(result))
process.exit(0)
