// Whatever the app does in one of its functions, nothing hangs and nothing rejects unhandled.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { S2UnavailableError } from '../dist/index.js'
import { CLIENTS, openTab } from './support/clients.mjs'
import * as s from './support/scripted.mjs'

const { frame, text, started, finished, snapshot, user } = s
const LIMIT = { timeout: 120_000 }

const uncaught = []
const note = (error) => uncaught.push(error)
const { error: write } = console
beforeEach(() => {
  uncaught.length = 0
  process.on('unhandledRejection', note).on('uncaughtException', note)
  console.error = () => {}
})
afterEach(async () => {
  await s.sleep(20)
  process.off('unhandledRejection', note).off('uncaughtException', note)
  console.error = write
  assert.deepEqual(uncaught, [])
})

const STATES = ['connecting', 'live', 'reconnecting', 'paused']

/** A server whose first stream breaks, whose second attempt is refused, and whose third stream goes on. */
const flaky = (t) =>
  s.scripted(t, {
    get: [s.breaks(frame(3, snapshot()), frame(4, text('a'))), s.refuses(), s.refuses(), s.stays(frame(5, text('b')))],
    post: [s.answer(202)],
    delete: [s.answer(204)],
  })
const TIMING = { quietFor: 5, firstRetry: 60, longestRetry: 60 }

for (const state of STATES) {
  test(`an abort inside onStateChange('${state}') ends the subscription, and nothing else`, LIMIT, async (t) => {
    const server = await flaky(t)
    const controller = new AbortController()
    const chunks = []
    const onStateChange = (now) => now === state && controller.abort()
    const connection = s.connect(server, { timing: TIMING, onStateChange })
    for await (const chunk of connection.subscribe(controller.signal)) {
      chunks.push(chunk)
      if (state === 'paused') controller.abort()
    }
    assert.equal(connection.state, 'paused')
    await s.until('no request is open', () => server.gets().every(({ open }) => !open))
    const asked = server.gets().length
    await s.sleep(150)
    assert.equal(server.gets().length, asked)
  })

  test(`return() inside onStateChange('${state}') resolves, also while a next() waits`, LIMIT, async (t) => {
    const server = await flaky(t)
    let returned
    const connection = s.connect(server, {
      timing: TIMING,
      onStateChange: (now) => {
        if (now === state) returned ??= stream.return()
      },
    })
    const stream = connection.subscribe(new AbortController().signal)
    while (!(await stream.next()).done) if (state === 'paused') returned = stream.return()
    await returned
    assert.equal(connection.state, 'paused')
  })

  test(`what onStateChange('${state}') throws, and what watchers throw, changes nothing`, LIMIT, async (t) => {
    const server = await flaky(t)
    const states = []
    const connection = s.connect(server, {
      timing: TIMING,
      onStateChange: (now) => {
        states.push(now)
        if (now === state) throw new Error(`the app fails at ${now}`)
      },
    })
    connection.watch(() => {
      throw new Error('so does a watcher')
    })
    const reading = s.read(t, connection)
    await s.until('all is read', () => reading.text() === 'ab')
    reading.abort()
    await reading.over
    assert.equal(reading.error, undefined)
    assert.deepEqual(states, ['connecting', 'live', 'reconnecting', 'live', 'paused'])
  })

  test(`stop, send, reconnect and subscribe may be called inside onStateChange('${state}')`, LIMIT, async (t) => {
    const server = await flaky(t)
    const calls = []
    const connection = s.connect(server, {
      timing: TIMING,
      onStateChange: (now) => {
        if (now !== state) return
        connection.reconnect()
        calls.push(connection.stop(), connection.send([user('hello')]))
      },
    })
    const reading = s.read(t, connection)
    await s.until('all is read', () => reading.text() === 'ab')
    reading.abort()
    await reading.over
    await s.until('it was called', () => calls.length > 0)
    await Promise.all(calls)
  })
}

test('return() ends a next() that waits, and the request that it waits for', LIMIT, async (t) => {
  const server = await s.scripted(t, { get: [s.stays(frame(3, snapshot()))], post: [s.hangs()] })
  const single = s.connect(server, { mode: 'single-use', subscribeUrl: undefined })
  for (const [stream, requests] of [
    [s.connect(server).subscribe(), server.gets],
    [single.connect([user('hi')]), server.posts],
  ]) {
    if (requests === server.gets) await stream.next()
    const waiting = stream.next().catch((error) => error)
    await s.until('it is asked', () => requests().length === 1)
    await stream.return()
    const result = await waiting
    assert.ok(result.done || result.name === 'AbortError')
    assert.deepEqual(await stream.next(), { done: true, value: undefined })
    await s.until('the request is closed', () => !requests()[0].open)
  }
})

for (const [name, options] of [
  ['headers', (abort) => ({ headers: () => (abort(), {}) })],
  ['async headers', (abort) => ({ headers: async () => (await s.sleep(1), abort(), {}) })],
  ['subscribeUrl', (abort, base) => ({ subscribeUrl: () => (abort(), `${base}/r`) })],
  ['fetch', (abort) => ({ fetch: (url, init) => (abort(), fetch(url, init)) })],
  ['a fetch that answers late', (abort) => ({ fetch: async (url, init) => (abort(), await s.sleep(20), fetch(url, { ...init, signal: null })) })],
]) {
  test(`an abort inside ${name} ends the subscription silently`, LIMIT, async (t) => {
    const server = await flaky(t)
    const controller = new AbortController()
    const connection = s.connect(server, options(() => controller.abort(), server.base))
    for await (const _ of connection.subscribe(controller.signal)) assert.fail('nothing is read')
    assert.equal(connection.state, 'paused')
    await s.sleep(40)
    await s.until('no request is open', () => server.gets().every(({ open }) => !open))
  })
}

for (const [name, options] of [
  ['body', (abort) => ({ body: () => (abort(), { id: 'c1' }) })],
  ['sendUrl', (abort, base) => ({ sendUrl: () => (abort(), `${base}/api/chat`) })],
  ['headers', (abort) => ({ headers: () => (abort(), {}) })],
  ['fetch', (abort) => ({ fetch: (url, init) => (abort(), fetch(url, init)) })],
]) {
  for (const mode of ['session', 'shared', 'single-use']) {
    test(`${mode}: an abort inside ${name} rejects the send with AbortError, and the next one works`, LIMIT, async (t) => {
      const server = await s.scripted(t, { post: [s.ends(frame(2, started()), frame(3, finished()))] })
      let controller = new AbortController()
      const abort = () => controller.abort()
      const connection = s.connect(server, { mode, ...options(abort, server.base) })
      await assert.rejects(connection.send([user('hi')], {}, controller.signal), { name: 'AbortError' })
      controller = undefined
      const next = s.connect(server, { mode })
      await next.send([user('hi')], {}, new AbortController().signal)
    })
  }
}

for (const name of ['headers', 'body', 'sendUrl', 'stopUrl', 'fetch']) {
  test(`what ${name} throws rejects the send or stop that called it, and nothing else`, LIMIT, async (t) => {
    const server = await s.scripted(t, { get: [s.stays(frame(3, snapshot()))], post: [s.answer(202)], delete: [s.answer(204)] })
    let armed = false
    const fail = (value) => (...all) => {
      if (armed) throw new Error('the app fails')
      return typeof value === 'function' ? value(...all) : value
    }
    const url = `${server.base}/api/chat`
    const values = { headers: {}, body: { id: 'c1' }, sendUrl: url, stopUrl: url, fetch }
    const connection = s.connect(server, { [name]: fail(values[name]), timing: { sendDeadline: 5_000, longestRetryVisible: 1_000 } })
    const reading = s.read(t, connection)
    await s.until('it reads', () => reading.chunks.length === 1)
    armed = true
    const results = await Promise.allSettled([connection.send([user('hi')]), connection.stop()])
    assert.ok(results.some(({ reason }) => /the app fails/.test(reason?.message)))
    armed = false
    await connection.send([user('hi')])
    await connection.stop()
    assert.equal(reading.done, false)
  })
}

test('a token that cannot be had now is asked for again', LIMIT, async (t) => {
  const server = await s.scripted(t, { get: [s.stays(frame(3, text('a')))] })
  let asked = 0
  const headers = async () => {
    if (asked++ < 2) throw new S2UnavailableError('the token service is away')
    return { Authorization: 'x' }
  }
  const reading = s.read(t, s.connect(server, { headers }))
  await s.until('it reads', () => reading.text() === 'a')
  assert.equal(asked, 3)
})

for (const [version, ChatClient] of CLIENTS) {
  for (const callback of ['onChunk', 'onMessagesChange', 'onStatusChange', 'onSubscriptionChange', 'onError', 'onFinish']) {
    for (const act of ['stop', 'unsubscribe']) {
      test(`ai-client ${version}: ${act}() inside ${callback} leaves no request and no rejection`, LIMIT, async (t) => {
        const server = await s.scripted(t, {
          get: [s.stays(frame(3, snapshot()), frame(4, started()), frame(5, s.start()), frame(6, text('a')), frame(7, finished()))],
          post: [s.answer(202), s.answer(500)],
        })
        let acting = false
        const once = () => {
          // The client calls back from within `stop` and `unsubscribe`.
          if (acting || !tab?.client) return
          acting = true
          tab.client[act]()
          acting = false
        }
        let tab
        tab = openTab(t, ChatClient, s.connect(server), { [callback]: once })
        await tab.client.sendMessage('hi').catch(() => {})
        await tab.client.sendMessage('more').catch(() => {})
        tab.close()
        await s.until('no request is open', () => server.requests.every(({ open }) => !open))
        assert.equal(tab.client.getIsLoading(), false)
        await s.until('nobody subscribes', () => tab.connection.state === 'paused')
      })
    }
  }
}
