// A tool of the page's, called by a model behind OpenAI's protocol, through this repository's server.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { CLIENTS, live, openTab } from './support/clients.mjs'
import { pythonServer } from './support/python.mjs'
import * as s from './support/scripted.mjs'

const call = { index: 0, id: 'call_0', type: 'function', function: { name: 'locate', arguments: '{"exact":true}' } }

/** Calls the tool that it is offered for a question, and answers from its result. */
async function model(t) {
  const asked = []
  const server = createServer(async (request, response) => {
    let received = ''
    for await (const part of request) received += part
    const body = JSON.parse(received)
    asked.push(body)
    const { role, content } = body.messages.at(-1)
    const [delta, reason] =
      role === 'tool'
        ? [{ content: `You are in ${JSON.parse(content).place}.` }, 'stop']
        : content === 'Where am I?'
          ? [{ tool_calls: [call] }, 'tool_calls']
          : [{ content: 'Any time.' }, 'stop']
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const choice of [{ delta }, { delta: {}, finish_reason: reason }]) {
      response.write(`data: ${JSON.stringify({ choices: [{ index: 0, ...choice }] })}\n\n`)
    }
    response.end('data: [DONE]\n\n')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return { asked, settings: { OPENAI_MODEL: 'm', OPENAI_BASE_URL: `http://127.0.0.1:${server.address().port}/v1` } }
}

/** Older clients tell their connection nothing of their tools, so the page names them. */
const named = [{ name: 'locate', description: 'Where the user is', parameters: { type: 'object' } }]

for (const [version, ChatClient, newest] of CLIENTS) {
  test(`ai-client ${version}: the tab that sent runs the tool, and all tabs show the answer`, { timeout: 120_000 }, async (t) => {
    const { asked, settings } = await model(t)
    const server = await pythonServer(t, settings)
    const ran = []
    const open = (name) => {
      const execute = (input) => (ran.push([name, input]), { place: 'Paris' })
      const tools = [{ __toolSide: 'client', name: 'locate', description: 'Where the user is', execute }]
      const options = { subscribeUrl: `${server.base}/api/chat/replay?id=tour`, body: { id: 'tour', ...(newest ? {} : { tools: named }) } }
      return live(openTab(t, ChatClient, s.connect(server, options), { tools }))
    }
    const [sender, other] = [await open('sender'), await open('other')]
    const all = (text) => s.until(`all show ${text}`, () => [sender, other].every((tab) => tab.text() === text && !tab.client.getIsLoading()), 20_000)
    await sender.client.sendMessage('Where am I?')
    await all('You are in Paris.')
    await other.client.sendMessage('Thanks')
    await all('Any time.')
    const reload = await open('reload')
    await s.until('the reload shows it', () => reload.text() === 'Any time.')
    assert.deepEqual(ran, [['sender', { exact: true }]])
    assert.equal(asked.length, 3)
    assert.equal(asked[0].tools[0].function.name, 'locate')
    for (const tab of [sender, other, reload]) assert.deepEqual(tab.errors, [])
  })
}
