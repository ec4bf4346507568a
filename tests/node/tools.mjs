// Answers that call tools, through the published ChatClient: node tools.mjs BASE_URL. Prints one JSON object.
import { ChatClient } from '@tanstack/ai-client'
import { createConnection } from './connection.mjs'

const [base] = process.argv.slice(2)
const PATIENCE = 20_000

/** A tab that has got its first event: one that sends before may hear of its run from the snapshot alone. */
async function openTab(id, tools) {
  const { connection, seen } = createConnection(base, id)
  const errors = []
  const client = new ChatClient({ connection, threadId: id, tools, onError: (error) => errors.push(String(error)) })
  client.subscribe()
  await until(() => seen.cursor !== undefined)
  return { client, errors }
}

/** What a promise came to, or "pending" if it has not come to anything in time. */
const outcome = (promise) =>
  Promise.race([
    promise.then(() => 'settled', String),
    new Promise((resolve) => setTimeout(() => resolve('pending'), PATIENCE)),
  ])

async function until(holds) {
  const deadline = Date.now() + PATIENCE
  while (!holds() && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10))
}

const told = ({ client, errors }) => ({
  status: client.getStatus(),
  loading: client.getIsLoading(),
  generating: client.getSessionGenerating(),
  messages: client.getMessages().map(({ role, parts }) => ({
    role,
    parts: parts.map((part) => part.content ?? `${part.type} ${part.state}`),
  })),
  runs: client.getMessages().map((message) => message.metadata?.resumable?.run?.outcome ?? null),
  errors,
})

const result = {}

{
  // A call that nobody in the browser can carry out.
  const tab = await openTab('server')
  result.server = { send: await outcome(tab.client.sendMessage('call server')) }
  Object.assign(result.server, told(tab))
  result.server.next = await outcome(tab.client.sendMessage('say'))
  result.server.after = told(tab).messages.at(-1)
}

{
  // A call that the browser carries out by itself, and continues.
  let executed = 0
  const weather = {
    __toolSide: 'client',
    name: 'weather',
    description: 'Tells the temperature',
    execute: () => ((executed += 1), { degrees: 21 }),
  }
  const tab = await openTab('client', [weather])
  result.client = { send: await outcome(tab.client.sendMessage('call client')) }
  await until(() => tab.client.getMessages().at(-1)?.parts.some((part) => part.content === 'It is 21.'))
  await until(() => !tab.client.getIsLoading())
  Object.assign(result.client, told(tab), { executed })
}

{
  // A call that the page resolves later, when the user has done something.
  const tab = await openTab('later')
  result.later = { send: await outcome(tab.client.sendMessage('call client')) }
  const call = tab.client
    .getMessages()
    .flatMap((message) => message.parts)
    .find((part) => part.type === 'tool-call')
  result.later.resolve = await outcome(
    tab.client.addToolResult({ toolCallId: call.id, tool: 'weather', output: { degrees: 21 } }),
  )
  await until(() => !tab.client.getIsLoading())
  Object.assign(result.later, told(tab))
}

{
  // A question to the user.
  const tab = await openTab('interrupt')
  result.interrupt = { send: await outcome(tab.client.sendMessage('ask')) }
  Object.assign(result.interrupt, told(tab), { pending: tab.client.getInterruptState().interrupts.length })
}

console.log(JSON.stringify(result))
process.exit(0)
