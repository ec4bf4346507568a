// Three tabs of one chat, each with the published ChatClient, on one stream.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ClientTools } from '../dist/client-tools.js'
import { OwnRuns } from '../dist/own-runs.js'
import { CLIENTS, live, openTab } from './support/clients.mjs'
import * as s from './support/scripted.mjs'

const { frame, started, finished, snapshot, user, start, text, end } = s
const LIMIT = { timeout: 120_000 }

const toolCall = (id = 'call_0') => [
  { type: 'TOOL_CALL_START', toolCallId: id, toolCallName: 'locate', parentMessageId: 'a1' },
  { type: 'TOOL_CALL_ARGS', toolCallId: id, delta: '{"exact":true}' },
  { type: 'TOOL_CALL_END', toolCallId: id },
]
const available = (toolCallId = 'call_0') => ({
  type: 'CUSTOM',
  name: 'tool-input-available',
  value: { toolCallId, toolName: 'locate', input: { exact: true } },
})
const interrupted = (runId, toolCallId = 'call_0') => ({
  ...finished(runId),
  outcome: {
    type: 'interrupt',
    interrupts: [
      {
        id: `client_tool_${toolCallId}`,
        reason: 'client_tool_input',
        toolCallId,
        metadata: { kind: 'client_tool', toolName: 'locate', input: { exact: true } },
      },
    ],
  },
})
const handedOff = (runId) => ({ ...finished(runId), finishReason: 'tool_calls' })

/** A log that all tabs read. Each post is answered 202 and appends what `run(body, n)` gives, after a snapshot. */
async function chat(t, run) {
  const log = [[1, snapshot()]]
  const streams = new Set()
  const append = (chunks) => {
    const records = chunks.map((chunk, index) => [log.at(-1)[0] + index + 1, chunk])
    log.push(...records)
    for (const stream of streams) stream.write(records.map((record) => frame(...record)).join(''))
  }
  const server = await s.scripted(t, {
    get: [
      (request, response) => {
        s.open(response)
        const { from } = request.query
        response.write(log.filter(([id]) => id > (from ?? 0)).map((record) => frame(...record)).join(''))
        streams.add(response.on('close', () => streams.delete(response)))
      },
    ],
    post: [
      (request, response, n) => {
        s.answer(202)(request, response)
        append([snapshot(...request.body.messages), ...run(request.body, n)])
      },
    ],
  })
  const drop = () => [...streams].forEach((stream) => stream.destroy())
  return { server, append, drop, log }
}

function tab(t, ChatClient, server, ran, name, options) {
  const execute = async (input) => {
    ran.push([name, input])
    return { place: name }
  }
  const tools = [{ __toolSide: 'client', name: 'locate', description: 'Where the user is', execute }]
  return live(openTab(t, ChatClient, s.connect(server, options), { tools }))
}

const answered = (runId) => [started(runId), start('a2'), text('You are there.', 'a2'), end('a2'), finished(runId)]

for (const [version, ChatClient, newest] of CLIENTS) {
  describe(`ai-client ${version}`, () => {
    const flows = {
      'a custom event': ({ runId }, n) =>
        n > 1 ? answered(runId) : [started(runId), start(), ...toolCall(), handedOff(runId), available(), finished(runId)],
      'a custom event, from a server that names its runs itself': (_, n) =>
        n > 1 ? answered('srv-2') : [started('srv-1'), start(), ...toolCall(), available(), finished('srv-1')],
    }
    if (newest) {
      flows['an interrupt'] = ({ runId, parentRunId }, n) =>
        n > 1
          ? [{ ...started(runId), parentRunId }, ...answered(runId).slice(1)]
          : [started(runId), start(), ...toolCall(), interrupted(runId)]
    }
    for (const [flow, run] of Object.entries(flows)) {
      test(`a tool called by ${flow} runs in the tab that sent, once`, LIMIT, async (t) => {
        const { server, log } = await chat(t, run)
        const ran = []
        const tabs = []
        for (const name of ['a', 'b', 'c']) tabs.push(await tab(t, ChatClient, server, ran, name))
        await tabs[1].client.sendMessage('Where am I?')
        await s.until('the continuation is posted', () => server.posts().length === 2)
        await s.until('all show the answer', () => tabs.every((one) => one.text() === 'You are there.' && !one.client.getIsLoading()))
        assert.deepEqual(ran, [['b', { exact: true }]])
        assert.equal(server.posts().length, 2)
        for (const one of tabs) assert.deepEqual(one.errors, [])

        const late = []
        const reload = await tab(t, ChatClient, server, late, 'reload')
        await s.until('the reload shows it', () => reload.text() === 'You are there.')
        assert.deepEqual(late, [])
        assert.ok(log.length > 8)
      })
    }

    test('a replay of the call to its own tab does not run it again', LIMIT, async (t) => {
      const run = ({ runId }) => [started(runId), start(), ...toolCall(), available()]
      const { server, append, drop } = await chat(t, run)
      const ran = []
      const sender = await tab(t, ChatClient, server, ran, 'a', { subscribeUrl: `${server.base}/r?id=c1&fresh=1` })
      // A server that begins with the snapshot after each break.
      server.script.get = [
        (request, response) => {
          s.open(response)
          response.write([frame(90, snapshot(user('Where?', 'u'))), ...replay()].join(''))
        },
      ]
      const replay = () => run(server.posts()[0].body).map((chunk, index) => frame(91 + index, chunk))
      const sending = sender.client.sendMessage('Where?').catch(() => {})
      await s.until('the tool ran', () => ran.length === 1)
      drop()
      await s.until('it is replayed', () => server.gets().length >= 2)
      await s.sleep(50)
      assert.equal(ran.length, 1)
      append([])
      sender.client.stop()
      await sending
    })

    test('two answers with the same call id are two calls', LIMIT, async (t) => {
      const { server } = await chat(t, ({ runId }, n) => {
        if (n % 2 === 0) return answered(runId)
        return [started(runId), start(`a${n}`), ...toolCall(), available(), finished(runId)]
      })
      const ran = []
      const sender = await tab(t, ChatClient, server, ran, 'a')
      for (const count of [1, 2]) {
        await sender.client.sendMessage('Where?')
        await s.until('it is continued', () => server.posts().length === 2 * count && !sender.client.getIsLoading())
      }
      assert.equal(ran.length, 2)
    })
  })
}

test('shared: a reloaded tab reads the running answer, and does not run its tool', LIMIT, async (t) => {
  const [, ChatClient] = CLIENTS.at(-1)
  const run = [started('theirs'), start(), ...toolCall(), available(), finished('theirs')]
  const server = await s.scripted(t, { get: [s.ends(...run.map((chunk, index) => frame(index + 2, chunk)))] })
  const ran = []
  const reload = await openTab(t, ChatClient, s.connect(server, { mode: 'shared' }), {
    tools: [{ __toolSide: 'client', name: 'locate', description: '', execute: () => void ran.push(1) }],
  })
  reload.client.subscribe()
  await s.until('the call is shown', () => reload.messages().at(-1)?.parts.some(({ type }) => type === 'tool-call'))
  await s.sleep(50)
  assert.deepEqual(ran, [])
})

test('shared: the tab that sent runs the tool, whatever the server calls the run', LIMIT, async (t) => {
  const [, ChatClient] = CLIENTS.at(-1)
  const run = [started('srv'), start(), ...toolCall(), available(), finished('srv')]
  const server = await s.scripted(t, {
    get: [s.answer(204)],
    post: [
      s.ends(...run.map((chunk, index) => frame(index + 2, chunk))),
      s.ends(...answered('srv-2').map((chunk, index) => frame(index + 12, chunk))),
    ],
  })
  const ran = []
  const sender = await openTab(t, ChatClient, s.connect(server, { mode: 'shared' }), {
    tools: [{ __toolSide: 'client', name: 'locate', description: '', execute: () => (ran.push(1), 'here') }],
  })
  await sender.client.sendMessage('Where?')
  await s.until('it is continued', () => sender.text() === 'You are there.')
  assert.deepEqual(ran, [1])
})

test('an interrupt of another tab keeps all that it says, but for the name that runs the tool', () => {
  const chunk = interrupted('theirs')
  const approval = { id: 'x', reason: 'approval_required', toolCallId: 'c2', metadata: { kind: 'approval', toolName: 'pay' } }
  chunk.outcome.interrupts.push(approval)
  const shown = new ClientTools(new OwnRuns()).pass(chunk)
  const [tool, other] = shown.outcome.interrupts
  assert.equal(other, approval)
  assert.deepEqual(tool, {
    ...chunk.outcome.interrupts[0],
    metadata: { kind: 'client_tool', toolName: '', elsewhere: 'locate', input: { exact: true } },
  })
  const own = new OwnRuns()
  own.add('theirs')
  assert.equal(new ClientTools(own).pass(chunk), chunk)
})

test('whatever a chunk holds, nothing is thrown', () => {
  const tools = new ClientTools(new OwnRuns())
  for (const junk of [null, undefined, 7, 'x', [], {}, [null], { type: 'interrupt', interrupts: [null, 7, { metadata: null }] }]) {
    for (const type of ['CUSTOM', 'RUN_FINISHED', 'RUN_STARTED', 7]) {
      tools.pass({ type, name: 'tool-input-available', value: junk, outcome: junk, runId: junk })
    }
  }
})
