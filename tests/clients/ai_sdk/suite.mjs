// What a user of the AI SDK sees, against the real local server.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { createResumableTransport } from '../../../client/dist/ai-sdk/index.js'
import { startProxy } from '../proxy.mjs'
import { randomly, startServer, until, writeOddChats } from '../server.mjs'
import { chatClass, load, openPage, plain } from './page.mjs'

const VECTORS = readFileSync(new URL('../../vectors/ai_sdk.jsonl', import.meta.url), 'utf8')
  .split('\n')
  .filter(Boolean)
  .map((line) => JSON.parse(line))

const HISTORIES = Number(process.env.HISTORIES ?? 40)
const CUTS = 12

/** What the client says of a stream that it cannot read. */
const CONFUSED = /schema|missing|invocation|parsing|validation|not iterable|undefined/i

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

export function suite(name, ai) {
  describe(name, { timeout: 300_000 }, () => {
    let server
    let chats = 0
    const fresh = () => `${name.replaceAll(' ', '-')}-${chats++}`

    before(async () => {
      server = await startServer({ CHAT_SOURCE: 'tests.clients.ai_sdk.model:answer' })
    })
    after(() => server?.close())

    const open = (id, options) => openPage(ai, server.url, id, options)

    /** Opens a page on a chat where nothing runs. */
    async function visit(id, options) {
      const page = await open(id, options)
      await page.resumed
      return page
    }

    async function agrees(page, id) {
      const stored = plain(await load(server.url, id))
      assert.deepEqual(page.shown(), stored)
      return stored
    }

    it('makes of every golden stream the message that a page loads', async () => {
      for (const vector of VECTORS) {
        const last = vector.messages.at(-1)
        if (vector.options.continues || last.role !== 'assistant') continue
        const body = new Response(vector.sent).body
        const chat = new (chatClass(ai))({
          id: 'c',
          messages: [{ id: 'u', role: 'user', parts: [] }],
          transport: new ai.DefaultChatTransport({
            api: 'http://x',
            fetch: async () => new Response(body, { headers: { 'content-type': 'text/event-stream' } }),
          }),
        })
        await (vector.options.replays ? chat.resumeStream() : chat.regenerate())
        const failed = vector.sent.includes('"type":"error"')
        if (!vector.sent.includes('[DONE]')) continue
        assert.equal(chat.status, failed ? 'error' : 'ready', `${vector.name}: ${chat.error}`)
        if (vector.sent.includes('__proto__')) continue
        assert.deepEqual(plain([chat.messages.at(-1)]), plain([last]), vector.name)
      }
    })

    it('shows an answer, and the same one after a reload', async () => {
      const id = fresh()
      const page = await visit(id)
      await page.chat.sendMessage({ text: 'reason, tool, count 5' })
      assert.equal(page.chat.status, 'ready')
      assert.equal(page.text(), '1 2 3 4 5 of 1.')
      assert.equal(page.ends.at(-1).finishReason, 'stop')
      const stored = await agrees(page, id)
      assert.equal(stored.at(-1).metadata.resumable.run.outcome, 'finished')
      const again = await page.reload()
      await again.resumed
      assert.equal(again.chat.status, 'ready')
      await agrees(again, id)
    })

    it('resumes in the middle of an answer, on any device', async () => {
      const id = fresh()
      const page = await visit(id)
      const sent = page.chat.sendMessage({ text: 'count 60 every 20' })
      await until('it speaks', () => page.text().length > 10)
      const other = await open(id)
      await until('the other device has caught up', () => other.text().length > 10)
      const reloaded = await page.reload()
      await Promise.all([sent, reloaded.resumed, other.resumed])
      for (const each of [reloaded, other]) {
        assert.equal(each.chat.status, 'ready')
        assert.match(each.text(), /60 of 1\.$/)
        await agrees(each, id)
      }
    })

    it('keeps the part of an answer that a stop leaves, everywhere', async () => {
      const id = fresh()
      const page = await visit(id)
      const sent = page.chat.sendMessage({ text: 'count 500 every 20' })
      await until('it speaks', () => page.text().length > 10)
      const other = await open(id)
      assert.equal((await other.stopOnServer()).status, 202)
      await Promise.all([sent, other.resumed])
      for (const each of [page, other]) {
        assert.equal(each.chat.status, 'ready')
        const stored = await agrees(each, id)
        assert.equal(stored.at(-1).metadata.resumable.run.outcome, 'stopped')
      }
      await page.chat.sendMessage({ text: 'count 2' })
      assert.equal((await agrees(page, id)).length, 4)
    })

    it('edits a message, and asks again', async () => {
      const id = fresh()
      const page = await visit(id)
      await page.chat.sendMessage({ text: 'count 1' })
      await page.chat.sendMessage({ text: 'count 2' })
      const [first] = page.chat.messages
      for (const text of ['count 3', 'count 4', 'count 3']) {
        await page.chat.sendMessage({ text, messageId: first.id })
        assert.equal(page.text(), text === 'count 3' ? '1 2 3 of 1.' : '1 2 3 4 of 1.')
        assert.equal((await agrees(page, id)).length, 2)
      }
      const answer = page.chat.messages.at(-1).id
      await page.chat.regenerate()
      assert.notEqual(page.chat.messages.at(-1).id, answer)
      assert.equal((await agrees(page, id)).length, 2)
      await page.chat.sendMessage()
      assert.equal(page.chat.status, 'ready')
      assert.equal((await load(server.url, id)).length, 2)
      await page.chat.sendMessage({ text: 'count 1' })
      const reloaded = await page.reload()
      await reloaded.resumed
      assert.equal((await agrees(reloaded, id)).length, 4)
    })

    it('runs tools of the server without sending their results back', async () => {
      const id = fresh()
      const bodies = []
      const page = await visit(id, {
        sendAutomaticallyWhen: ai.lastAssistantMessageIsCompleteWithToolCalls,
        transport: { fetch: (url, init) => (init.body && bodies.push(init.body), fetch(url, init)) },
      })
      await page.chat.sendMessage({ text: 'tool count 2' })
      await sleep(300)
      assert.equal(bodies.length, 1)
      await agrees(page, id)
    })

    it('lets the page run a tool, and goes on in the same message', async () => {
      const id = fresh()
      const page = await visit(id, { sendAutomaticallyWhen: ai.lastAssistantMessageIsCompleteWithToolCalls })
      await page.chat.sendMessage({ text: 'ask count 2' })
      const [call] = page.calls
      assert.equal(call.toolName, 'where')
      assert.deepEqual(call.input, { precise: true })
      const reloaded = await page.reload()
      await reloaded.resumed
      await reloaded.chat.addToolOutput({ tool: 'where', toolCallId: call.toolCallId, output: { place: 'here' } })
      await until('it goes on', () => reloaded.settled() && reloaded.text().endsWith('of 1.'))
      assert.equal(reloaded.chat.messages.length, 2)
      const stored = await agrees(reloaded, id)
      const tool = stored.at(-1).parts.find(({ type }) => type === 'dynamic-tool')
      assert.deepEqual([tool.state, tool.output], ['output-available', { place: 'here' }])
      await reloaded.chat.sendMessage({ text: 'count 1' })
      assert.equal((await agrees(reloaded, id)).length, 4)
      const other = await open(id)
      await other.resumed
      await agrees(other, id)
    })

    for (const approved of [true, false]) {
      it(`waits for an approval that is ${approved ? 'given' : 'refused'}`, async () => {
        const id = fresh()
        const page = await visit(id, {
          sendAutomaticallyWhen: ai.lastAssistantMessageIsCompleteWithApprovalResponses,
        })
        await page.chat.sendMessage({ text: 'approve' })
        const reloaded = await page.reload()
        await reloaded.resumed
        const call = reloaded.chat.messages.at(-1).parts.find(({ type }) => type === 'dynamic-tool')
        assert.equal(call.state, 'approval-requested')
        await reloaded.chat.addToolApprovalResponse({ id: call.approval.id, approved })
        await until('it goes on', () => reloaded.settled() && reloaded.text() !== '')
        assert.equal(reloaded.text(), approved ? 'Booked.' : 'Left alone.')
        assert.equal(reloaded.chat.messages.length, 2)
        const stored = await load(server.url, id)
        const kept = stored.at(-1).parts.find(({ type }) => type === 'dynamic-tool')
        assert.equal(kept.state, approved ? 'output-available' : 'output-denied')
        const last = await open(id)
        await last.resumed
        await agrees(last, id)
      })
    }

    it('takes files, and hands data to the page', async () => {
      const id = fresh()
      const page = await visit(id)
      const url = `data:image/png;base64,${Buffer.from('picture').toString('base64')}`
      await page.chat.sendMessage({ text: 'see', files: [{ type: 'file', mediaType: 'image/png', url, filename: 'a.png' }] })
      assert.equal(page.text(), 'image text')
      assert.deepEqual(page.data.map(({ type, data }) => [type, data]), [['data-weather', { degrees: 21 }]])
      const stored = await agrees(page, id)
      assert.deepEqual(stored[0].parts[0], { type: 'file', mediaType: 'image/png', url, filename: 'a.png' })
    })

    it('shows an error as the server says it, and goes on after it', async () => {
      const id = fresh()
      const page = await visit(id)
      await page.chat.sendMessage({ text: 'count 9 fail after 3' })
      assert.equal(page.chat.status, 'error')
      assert.match(page.chat.error.message, /the test asked for it/)
      assert.equal((await agrees(page, id)).at(-1).metadata.resumable.run.outcome, 'failed')
      await page.chat.sendMessage({ text: 'count 2' })
      assert.equal(page.chat.status, 'ready')
      await agrees(page, id)
    })

    it('lets one of two clients write at once, and tells the other', async () => {
      const id = fresh()
      const [one, two] = [await visit(id), await visit(id)]
      const sent = one.chat.sendMessage({ text: 'count 30 every 20' })
      await until('it speaks', () => one.text() !== '')
      await two.chat.sendMessage({ text: 'count 2' })
      assert.equal(two.chat.status, 'error')
      assert.match(two.chat.error.message, /^Stream already in use/)
      await sent
      assert.equal(one.chat.status, 'ready')
      await agrees(one, id)
    })

    it('shows what is wrong with a request in words', async () => {
      const page = await visit(fresh())
      const files = [{ type: 'file', mediaType: 'image/png', url: `data:image/png;base64,${'A'.repeat(7_000_000)}` }]
      await page.chat.sendMessage({ text: 'see', files })
      assert.match(page.chat.error.message, /^The request is over 6,291,456 bytes\. Upload large files elsewhere/)
    })

    it('never takes a broken body for a whole answer, and has all of it after a resume', async () => {
      let plan
      const proxy = await startProxy(server.url, (request) => (request.method === 'POST' ? plan : undefined))
      try {
        for (const then of ['break', 'mid-line']) {
          for (let events = 0; events < CUTS; events++) {
            const id = fresh()
            plan = { events, then }
            const page = await openPage(ai, proxy.url, id)
            await page.resumed
            await page.chat.sendMessage({ text: 'reason tool count 3' })
            assert.equal(page.chat.status, 'error', `${then} after ${events}`)
            await page.chat.resumeStream()
            assert.equal(page.chat.status, 'ready', `${then} after ${events}: ${page.chat.error}`)
            await agrees(page, id)
          }
        }
      } finally {
        await proxy.close()
      }
    })

    it('settles after any history of reloads and stops', async () => {
      for (let seed = 0; seed < HISTORIES; seed++) {
        const chance = randomly(seed + 1)
        const id = fresh()
        let page = await visit(id)
        for (let turn = 0; turn < 2; turn++) {
          const text = `${chance() < 0.5 ? 'reason ' : ''}${chance() < 0.5 ? 'tool ' : ''}count 8 every 3`
          const sent = page.chat.sendMessage({ text })
          for (let act = 0; act < 2; act++) {
            await sleep(chance() * 30)
            if (chance() < 0.5) page = await page.reload()
            else if (chance() < 0.4) await page.stopOnServer()
          }
          await sent
          await page.resumed
          await until('the page has settled', () => page.settled())
          await until('nothing runs', async () => (await page.stopOnServer()).status === 204)
          await page.chat.resumeStream()
        }
        assert.equal(page.chat.status, 'ready', `history ${seed}: ${page.chat.error}`)
        // A page that was loaded between a send and its arrival has the answer without the question, and a run that
        // was stopped before it said anything has its outcome on the question. A reload shows both.
        const stored = plain(await load(server.url, id))
        const answers = (messages) => messages.filter(({ role }) => role === 'assistant')
        assert.deepEqual(answers(page.shown()), answers(stored), `history ${seed}`)
        page = await page.reload()
        await page.resumed
        assert.deepEqual(page.shown(), stored, `history ${seed}`)
      }
    })

    it('takes whatever another writer has left in the log', async () => {
      writeOddChats(server, 120)
      for (let number = 0; number < 120; number++) {
        const page = await visit(`odd-${number}`)
        assert.ok(!CONFUSED.test(page.chat.error?.message ?? ''), `odd-${number}: ${page.chat.error}`)
      }
    })

    it('takes odd events while they are written', async () => {
      for (let seed = 1; seed <= 60; seed++) {
        const id = fresh()
        const page = await visit(id)
        await page.chat.sendMessage({ text: `odd ${seed}` })
        assert.ok(page.ends.length === 1, `odd ${seed}`)
        assert.ok(!CONFUSED.test(page.chat.error?.message ?? ''), `odd ${seed}: ${page.chat.error}`)
      }
    })

    it('ends with an error when the server is killed, and goes on once it is back', async () => {
      const id = fresh()
      const page = await visit(id)
      const sent = page.chat.sendMessage({ text: 'count 400 every 20' })
      await until('it speaks', () => page.text().length > 10)
      await server.kill()
      await sent
      assert.equal(page.chat.status, 'error')
      await server.start()
      await page.chat.resumeStream()
      assert.equal(page.chat.status, 'error')
      assert.equal((await agrees(page, id)).at(-1).metadata.resumable.run.outcome, 'lost')
      await page.chat.sendMessage({ text: 'count 2' })
      assert.equal(page.chat.status, 'ready')
      await agrees(page, id)
    })

    describe('with createResumableTransport', () => {
      const QUICK = { firstRetry: 20, longestRetryVisible: 200, stalledAfter: 700, sendLostAfter: 700 }
      const makeTransport = (timing) => (api) => createResumableTransport({ api, timing: { ...QUICK, ...timing } })

      async function through(url, id, options) {
        const page = await openPage(ai, url, id, { makeTransport: makeTransport(), ...options })
        await page.resumed
        return page
      }

      it('shows an answer, edits, tools and a stop as the stock transport does', async () => {
        const id = fresh()
        const page = await through(server.url, id, {
          sendAutomaticallyWhen: ai.lastAssistantMessageIsCompleteWithToolCalls,
        })
        await page.chat.sendMessage({ text: 'reason tool count 4' })
        assert.equal(page.text(), '1 2 3 4 of 1.')
        await page.chat.sendMessage({ text: 'count 2', messageId: page.chat.messages[0].id })
        assert.equal((await agrees(page, id)).length, 2)
        await page.chat.sendMessage({ text: 'ask count 2' })
        await page.chat.addToolOutput({ tool: 'where', toolCallId: page.calls.at(-1).toolCallId, output: 'here' })
        await until('it goes on', () => page.settled() && page.text().endsWith('of 2.'))
        assert.equal((await agrees(page, id)).length, 4)
        const sent = page.chat.sendMessage({ text: 'count 500 every 20' })
        await until('it speaks', () => page.chat.messages.length === 6 && page.transport.state === 'live')
        await page.transport.stop(id)
        await sent
        assert.equal(page.chat.status, 'ready')
        assert.equal(page.transport.state, 'paused')
        assert.equal((await agrees(page, id)).at(-1).metadata.resumable.run.outcome, 'stopped')
      })

      it('reads on by itself after any break, and shows each chunk once', async () => {
        let plan
        const proxy = await startProxy(server.url, (request, number) => plan?.(request, number))
        try {
          for (const then of ['break', 'mid-line', 'end']) {
            for (let events = 0; events < CUTS; events++) {
              const id = fresh()
              plan = undefined
              const page = await through(proxy.url, id)
              plan = (request) => {
                if (request.method === 'POST') plan = undefined
                return { events, then }
              }
              await page.chat.sendMessage({ text: 'reason tool count 3' })
              assert.equal(page.chat.status, 'ready', `${then} after ${events}: ${page.chat.error}`)
              assert.equal(page.errors.length, 0)
              await agrees(page, id)
            }
          }
        } finally {
          await proxy.close()
        }
      })

      it('gets through an answer of which each response brings only a little', async () => {
        let on = false
        const proxy = await startProxy(server.url, (request) =>
          on && !request.url.endsWith('/messages') ? { events: 9, then: 'break' } : undefined,
        )
        try {
          const id = fresh()
          const page = await through(proxy.url, id)
          on = true
          await page.chat.sendMessage({ text: 'reason tool count 40 every 10' })
          assert.equal(page.chat.status, 'ready', String(page.chat.error))
          assert.ok(proxy.seen.some(({ url }) => url.includes('from=')))
          await agrees(page, id)
        } finally {
          await proxy.close()
        }
      })

      it('gives a silent response up, and reads on', async () => {
        let silent = false
        const proxy = await startProxy(server.url, () => {
          const plan = silent ? { events: 5, then: 'silence' } : undefined
          silent = false
          return plan
        })
        try {
          const id = fresh()
          const page = await through(proxy.url, id)
          silent = true
          await page.chat.sendMessage({ text: 'count 6' })
          assert.equal(page.chat.status, 'ready')
          await agrees(page, id)
        } finally {
          await proxy.close()
        }
      })

      it('waits for a server that was killed, and tells how the answer ended', async () => {
        const id = fresh()
        // The server gives the writer up after 3 s of silence, if a reader stays that long.
        const page = await through(server.url, id, { makeTransport: makeTransport({ stalledAfter: 20_000 }) })
        const sent = page.chat.sendMessage({ text: 'count 400 every 20' })
        await until('it speaks', () => page.text().length > 10)
        await server.kill()
        await until('it tries again', () => page.transport.state === 'reconnecting')
        await server.start()
        await sent
        assert.equal(page.chat.status, 'error')
        assert.equal(page.chat.error.message, 'An error occurred.')
        assert.equal((await agrees(page, id)).at(-1).metadata.resumable.run.outcome, 'lost')
        const later = page.chat.sendMessage({ text: 'count 2' })
        await later
        assert.equal(page.chat.status, 'ready')
        await agrees(page, id)
      })

      it('repeats a send that does not get through, and runs it once', async () => {
        const id = fresh()
        let failures = 3
        let posts = 0
        const api = `${server.url}/api/ai-sdk/chat`
        const page = await openPage(ai, server.url, id, {
          makeTransport: () =>
            createResumableTransport({
              api,
              timing: QUICK,
              fetch: async (url, init) => {
                if (init.method !== 'POST') return fetch(url, init)
                posts++
                const response = await fetch(url, init)
                if (failures-- > 1) throw new TypeError('fetch failed')
                return failures === 0 ? new Response('Later.', { status: 503 }) : response
              },
            }),
        })
        await page.resumed
        await page.chat.sendMessage({ text: 'count 3' })
        assert.equal(page.chat.status, 'ready', String(page.chat.error))
        assert.equal(posts, 4)
        assert.equal((await agrees(page, id)).length, 2)
      })

      it('fails with an error that says why', async () => {
        for (const [status, name, words] of [
          [401, 'S2AuthError', 'not signed in'],
          [404, 'S2RequestError', 'found nothing'],
          [413, 'S2RequestError', 'Too long.'],
          [409, 'S2ConflictError', 'in use'],
          [200, 'S2StreamError', 'not text/event-stream'],
        ]) {
          let calls = 0
          const page = await openPage(ai, server.url, fresh(), {
            makeTransport: (api) =>
              createResumableTransport({
                api,
                timing: QUICK,
                fetch: async (url, init) => {
                  if (init.method !== 'POST') return fetch(url, init)
                  calls++
                  return new Response('Too long.', { status, headers: { 'content-type': 'text/plain' } })
                },
              }),
          })
          await page.resumed
          await page.chat.sendMessage({ text: 'hi' })
          assert.equal(page.chat.error?.name, name)
          assert.match(page.chat.error.message, new RegExp(words))
          assert.equal(page.chat.error.unsent.parts[0].text, 'hi')
          assert.equal(calls, 1)
          assert.equal(page.transport.state, 'failed')
        }
      })

      it('gives up at the deadline', async () => {
        const options = { makeTransport: makeTransport({ sendDeadline: 600 }) }
        const page = await openPage(ai, server.url, fresh(), options)
        await page.resumed
        const proxy = await startProxy('http://127.0.0.1:9')
        await proxy.close()
        const transport = createResumableTransport({ api: `${proxy.url}/x`, timing: { ...QUICK, sendDeadline: 600 } })
        const none = { chatId: 'c', messages: [], trigger: 'submit-message', messageId: undefined, abortSignal: undefined }
        await assert.rejects(transport.sendMessages(none), { name: 'S2UnavailableError' })
        await assert.rejects(transport.reconnectToStream({ chatId: 'c' }), { name: 'S2UnavailableError' })
        await assert.rejects(transport.stop('c'), { name: 'S2UnavailableError' })
        const aborted = { ...none, abortSignal: AbortSignal.abort() }
        await assert.rejects(transport.sendMessages(aborted), { name: 'AbortError' })
      })

      it('cuts nothing that a stale tab has not seen', async () => {
        const id = fresh()
        const [stale, other] = [await through(server.url, id), await visit(id)]
        await stale.chat.sendMessage({ text: 'count 1' })
        other.chat.messages = await load(server.url, id)
        await other.chat.sendMessage({ text: 'count 2' })
        await stale.chat.regenerate()
        assert.equal(stale.chat.status, 'ready')
        const texts = (await load(server.url, id)).filter(({ role }) => role === 'user').length
        assert.equal(texts, 2)
      })

      it('stops reading when the page leaves', async () => {
        const id = fresh()
        const page = await through(server.url, id)
        const sent = page.chat.sendMessage({ text: 'count 500 every 20' })
        await until('it speaks', () => page.text().length > 10)
        await page.leave()
        await sent
        assert.equal(page.chat.status, 'ready')
        assert.equal(page.transport.state, 'paused')
        const back = await openPage(ai, server.url, id, { makeTransport: makeTransport() })
        await until('it is there again', () => back.text().length > 10)
        await back.transport.stop(id)
        await back.resumed
        await agrees(back, id)
      })
    })
  })
}
