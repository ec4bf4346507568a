// A question whose answer needs a tool of the page's: node client_tools.mjs BASE_URL CHAT_ID. Prints one JSON object.
import { ChatClient } from '@tanstack/ai-client'
import { createConnection } from './connection.mjs'

const [base, id] = process.argv.slice(2)
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

async function until(what, holds, seconds = 20) {
  const deadline = Date.now() + seconds * 1000
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`waited ${seconds} s in vain until ${what}`)
    await sleep(10)
  }
}

const { connection, seen } = createConnection(base, id)
const ran = []
const errors = []
const tool = {
  __toolSide: 'client',
  name: 'locate',
  description: 'Where the user is',
  execute: (input) => (ran.push(input), { place: 'Paris' }),
}
const tab = new ChatClient({ connection, threadId: id, tools: [tool], onError: (error) => errors.push(String(error)) })
tab.subscribe()
await until('the tab follows', () => seen.cursor !== undefined)

const shown = (client) => client.getMessages().map(({ role, parts }) => ({ role, parts }))
const text = (client) => (shown(client).at(-1)?.parts ?? []).filter(({ type }) => type === 'text').map(({ content }) => content)
const settled = (client) => !client.getSessionGenerating() && !client.getIsLoading()
const result = {}

await tab.sendMessage('Where am I?')
await until('it is answered', () => text(tab).includes('You are in Paris.') && settled(tab))
result.messages = shown(tab)

await tab.sendMessage('Thanks')
await until('the chat goes on', () => text(tab).includes('Any time.') && settled(tab))

const late = new ChatClient({ connection: createConnection(base, id).connection, threadId: id })
late.subscribe()
await until('a reload shows it', () => text(late).includes('Any time.'))
result.reloaded = shown(late)
result.sent = shown(tab)
console.log(JSON.stringify({ ...result, ran, errors }))
process.exit(0)
