// Every state that the page can be in, made by a scripted server: what it says, and that everybody can use it.
// SHOTS=folder keeps pictures of all of them.
import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { violations } from './axe.mjs'
import { launch, openTab } from './browser.mjs'
import { begun, ended, said, snapshot, startScripted } from './scripted.mjs'
import { TIMEOUT } from './setup.mjs'

const { SHOTS } = process.env
const LOST = [/net::ERR_/, /status of 4(01|03|09|22)/]
const FINISHED = { outcome: 'finished', finishReason: 'stop' }

let server
let browser
let chats = 0
before(async () => {
  if (SHOTS) await mkdir(SHOTS, { recursive: true })
  server = await startScripted()
  browser = await launch()
})
after(async () => {
  await browser?.close()
  await server?.close()
})

const device = (options) => browser.newContext({ viewport: { width: 1100, height: 800 }, ...options })

/** Opens a chat that has said `chunks`. */
async function open(chunks, options) {
  const chat = server.chat(`state-${++chats}`)
  chat.script.emit(...chunks)
  const context = await device(options)
  const tab = await openTab(context, chat.url)
  tab.expectErrors(...LOST)
  return { ...chat, tab, context }
}

const QUESTION = ['user', 'How far is the moon?']
const ANSWER = ['assistant', 'About 384,400 km.', FINISHED]
const outcome = (tab) => tab.page.locator('.outcome')

const ENDS = {
  Stopped: [{ outcome: 'stopped' }, ''],
  Failed: [{ outcome: 'failed', error: 'OpenAI: you have no credit left' }, 'OpenAI: you have no credit left'],
  'Cut off': [{ outcome: 'lost' }, 'The server stopped working while it wrote this answer.'],
  'Length limit': [{ outcome: 'finished', finishReason: 'length' }, 'The model reached its length limit before the end.'],
  'Content filter': [{ outcome: 'finished', finishReason: 'content_filter' }, "The model provider's content filter ended this answer."],
}

for (const [label, [run, reason]] of Object.entries(ENDS)) {
  test(`an answer that ended as "${label}" says so live, after a reload, and on another device`, TIMEOUT, async () => {
    const { tab, url, script } = await open([snapshot(QUESTION), ...begun(), said('About 384')])
    await tab.page.getByText('About 384').waitFor()
    assert.equal(await outcome(tab).count(), 0)
    script.emit(...ended(run))
    const says = async (tab) => {
      await outcome(tab).getByText(label, { exact: true }).waitFor()
      assert.equal((await outcome(tab).locator('p').innerText()).trim(), `${label} ${reason}`.trim())
      const again = run.outcome === 'failed' || run.outcome === 'lost'
      assert.equal(await tab.button('Try again').count(), again ? 1 : 0)
    }
    await says(tab)
    await tab.page.reload()
    await says(tab)
    await says(await openTab(await device(), url))
    tab.assertNoErrors()
  })
}

test('a deadline is a cut with a reason of its own', TIMEOUT, async () => {
  const { tab } = await open([snapshot(QUESTION, ['assistant', 'About', { outcome: 'deadline' }])])
  await outcome(tab).getByText('Cut off').waitFor()
  await outcome(tab).getByText('ran out of time').waitFor()
})

test("a run without an answer tells its end under the user's message, until an answer follows", TIMEOUT, async () => {
  const failed = { outcome: 'failed', error: 'no model' }
  const { tab, script } = await open([snapshot([...QUESTION, failed])])
  await outcome(tab).getByText('no model').waitFor()
  await tab.button('Try again').waitFor()
  assert.equal(await tab.page.getByText('has no answer').count(), 0)
  script.emit(snapshot([...QUESTION, failed], ANSWER))
  await tab.page.getByText('384,400').waitFor()
  assert.equal(await outcome(tab).count(), 0)
})

test('earlier answers tell their ends too, but only the last one can be tried again', TIMEOUT, async () => {
  const rows = [QUESTION, ['assistant', 'Ab', { outcome: 'lost' }], QUESTION, ['assistant', 'About', { outcome: 'failed', error: 'x' }]]
  const { tab, script } = await open([snapshot(...rows)])
  await outcome(tab).nth(1).waitFor()
  assert.deepEqual(await outcome(tab).locator('strong').allInnerTexts(), ['Cut off', 'Failed'])
  assert.equal(await tab.button('Try again').count(), 1)
  await tab.button('Try again').click()
  await tab.until('it was sent', () => document.querySelectorAll('.outcome').length === 1)
  assert.equal(script.sends, 1)
})

test('a message is Sending until the server has it, and then the model is Thinking', TIMEOUT, async () => {
  const { tab, script } = await open([snapshot(QUESTION, ANSWER)])
  await tab.untilIdle(2)
  let accept
  script.accept = new Promise((resolve) => (accept = resolve))
  await tab.send('And the sun?')
  await tab.page.getByText('Sending…').waitFor()
  accept({ status: 202 })
  await tab.page.getByText('Thinking…').waitFor()
  assert.equal(await tab.page.getByText('Sending…').count(), 0)
  await tab.page.getByText(/^[1-9]\d* s$/).waitFor()
  script.emit(...begun(), said('About 150 million km.'))
  await tab.page.getByText('150 million').waitFor()
  assert.equal(await tab.page.getByText('Thinking…').count(), 0)
  script.emit(...ended(FINISHED))
  await tab.untilIdle(4)
  assert.equal(await outcome(tab).count(), 0)
})

test('an answer that stands still on an open connection is waited for, and cut off when its writer is gone', TIMEOUT, async () => {
  const { tab, script } = await open([snapshot(QUESTION), ...begun(), said('About 384')])
  await tab.page.getByText('Waiting for the model…').waitFor()
  assert.equal(await tab.page.getByText('Connected').isVisible(), true)
  script.emit(...ended({ outcome: 'lost' }))
  await outcome(tab).getByText('Cut off').waitFor()
})

test('a lost connection says so instead of Thinking, and Try now reconnects', TIMEOUT, async () => {
  const { tab, script } = await open([snapshot(QUESTION), ...begun()])
  await tab.page.getByText('Thinking…').waitFor()
  script.cut(null)
  await tab.page.getByText('Reconnecting…').waitFor()
  await tab.page.getByText('Connection lost').waitFor()
  assert.equal(await tab.page.getByText('Thinking…').count(), 0)
  script.status = 200
  await tab.button('Try now').click()
  await tab.page.getByText('Connected', { exact: true }).waitFor()
  assert.equal(await tab.page.getByText('Reconnecting…').count(), 0)
  script.emit(said('About 384,400 km.'), ...ended(FINISHED))
  await tab.untilIdle(2)
})

test('an empty snapshot says at once that the chat is unknown, and a chat begun here is welcomed', TIMEOUT, async () => {
  const { tab } = await open([{ type: 'MESSAGES_SNAPSHOT', messages: [] }])
  await tab.page.getByRole('heading', { name: 'There are no messages here.' }).waitFor()
  assert.equal(await tab.page.getByText('What would you like to know?').count(), 0)
  await tab.button('Start a new chat').click()
  await tab.page.getByRole('heading', { name: 'What would you like to know?' }).waitFor()
  server.chat(tab.page.url().split('/').at(-1)).script.emit({ type: 'MESSAGES_SNAPSHOT', messages: [] })
  await tab.page.reload()
  await tab.page.getByRole('heading', { name: 'What would you like to know?' }).waitFor()
})

test('follow-ups wait in a queue, can be removed, and go out in order', TIMEOUT, async () => {
  const { tab, script } = await open([snapshot(QUESTION), ...begun(), said('About')])
  await tab.page.getByText('About').waitFor()
  const queue = tab.page.getByRole('region', { name: 'Queued messages' })
  for (const text of ['first', 'second', 'third']) await tab.send(text)
  assert.equal(await queue.getByText('Queued', { exact: true }).count(), 3)
  assert.equal(await tab.input.inputValue(), '')
  await tab.page.reload()
  await tab.page.getByText('About').waitFor()
  assert.deepEqual(await queue.locator('.queue-text').allInnerTexts(), ['first', 'second', 'third'])
  await queue.getByRole('listitem').nth(1).getByRole('button', { name: 'Remove from queue' }).click()
  assert.equal(script.sends, 0)
  script.emit(...ended(FINISHED))
  await tab.until('the first one is sent', () => document.querySelectorAll('.queue li').length === 1)
  assert.deepEqual(await queue.locator('.queue-text').allInnerTexts(), ['third'])
  script.emit(...begun('answer-2'), said('Yes.', 'answer-2'), ...ended(FINISHED, 'answer-2'))
  await tab.until('the queue is empty', () => document.querySelector('.queue') === null)
  assert.equal(script.sends, 2)
})

test('a queue waits for the user when the answer did not finish', TIMEOUT, async () => {
  const { tab, script } = await open([snapshot(QUESTION), ...begun(), said('About')])
  await tab.page.getByText('About').waitFor()
  await tab.send('and then?')
  script.emit(...ended({ outcome: 'failed', error: 'no credit' }))
  await tab.button('Send now').waitFor()
  assert.equal(script.sends, 0)
  await tab.button('Send now').click()
  await tab.until('the queue is empty', () => document.querySelector('.queue') === null)
  assert.equal(script.sends, 1)
})

test('what the server refuses comes back once, and the rest of the queue waits', TIMEOUT, async () => {
  const { tab, script } = await open([snapshot(QUESTION), ...begun(), said('About')])
  await tab.page.getByText('About').waitFor()
  script.accept = Promise.resolve({ status: 422, detail: 'parts[0] is too long' })
  for (const text of ['first', 'second']) await tab.send(text)
  script.emit(...ended(FINISHED))
  await tab.page.getByRole('alert').getByText('parts[0] is too long. Your message is back in the input.').waitFor()
  assert.equal(await tab.input.inputValue(), 'first')
  await tab.button('Send now').waitFor()
  assert.equal(script.sends, 1)
})

test('a tab that is signed out says so', TIMEOUT, async () => {
  const { tab, script } = await open([snapshot(QUESTION, ANSWER)])
  await tab.untilIdle(2)
  script.cut(401)
  await tab.page.getByRole('alert').getByText('Sign in to read this chat.').waitFor()
  script.status = 200
  await tab.button('Try again').click()
  await tab.untilIdle(2)
})

test('Enter that ends a composition does not send, in the composer and in the edit box', TIMEOUT, async () => {
  const { tab, script } = await open([snapshot(QUESTION, ANSWER)])
  await tab.untilIdle(2)
  await tab.messages.first().hover()
  await tab.messages.first().getByRole('button', { name: 'Edit' }).click()
  for (const label of ['Message', 'Edit message']) {
    const field = tab.page.getByLabel(label, { exact: true })
    await field.fill('日本語')
    for (const options of [{ keyCode: 229, isComposing: false }, { keyCode: 229, isComposing: true }, { keyCode: 13, isComposing: true }]) {
      await field.dispatchEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true, ...options })
      await field.dispatchEvent('keydown', { key: 'Escape', bubbles: true, cancelable: true, ...options })
    }
    assert.equal(await field.inputValue(), '日本語')
  }
  assert.equal(script.sends, 0)
  await tab.input.press('Enter')
  await tab.page.getByText('Thinking…').waitFor()
  assert.equal(script.sends, 1)
})

const ARABIC = 'كم تبعد **الأرض** عن القمر؟\n\n- المسافة ٣٨٤ ألف كيلومتر\n- [ ] تحقق من `distance()`\n\n| الجرم | البعد |\n| - | - |\n| القمر | ٣٨٤<br>ألف |'

test('right-to-left text runs from the right, in messages, composer and edit box', TIMEOUT, async () => {
  const { tab } = await open([snapshot(['user', 'مرحبا بالعالم'], ['assistant', `${ARABIC}\n\nEnglish follows.`, FINISHED])])
  await tab.untilIdle(2)
  const direction = (locator) => locator.evaluate((element) => getComputedStyle(element).direction)
  assert.equal(await direction(tab.page.locator('.plain')), 'rtl')
  for (const [selector, expected] of [['.markdown > p:first-child', 'rtl'], ['.markdown > ul', 'rtl'], ['.markdown td', 'rtl'], ['.markdown > p:last-child', 'ltr']]) {
    assert.equal(await direction(tab.page.locator(selector).first()), expected, selector)
  }
  await tab.input.fill('مرحبا')
  assert.equal(await direction(tab.input), 'rtl')
  await tab.input.fill('hello')
  assert.equal(await direction(tab.input), 'ltr')
  await tab.messages.first().hover()
  await tab.messages.first().getByRole('button', { name: 'Edit' }).click()
  assert.equal(await direction(tab.page.getByLabel('Edit message')), 'rtl')
})

test('the edit box and the composer show their focus, in forced colours as well', TIMEOUT, async () => {
  for (const forcedColors of ['none', 'active']) {
    const { tab } = await open([snapshot(QUESTION, ANSWER)], { forcedColors })
    await tab.untilIdle(2)
    await tab.messages.first().hover()
    await tab.messages.first().getByRole('button', { name: 'Edit' }).click()
    const outline = (locator) => locator.evaluate((element) => getComputedStyle(element).outlineStyle)
    await tab.page.getByLabel('Edit message').focus()
    assert.equal(await outline(tab.page.getByLabel('Edit message')), 'solid')
    await tab.input.focus()
    assert.equal(await outline(tab.page.locator('.composer')), 'solid')
  }
})

const FULL = `### Numbers[^1]\n\nA list with **「重点」**内容, about ~5 to ~6:\n\n- [ ] open task\n- plain item\n- [x] done task\n\n1. one\n2. two\n\n| Train | Takes |\n| - | -: |\n| TGV<br>6109 | 1 h 44 |\n\n\`\`\`python\nprint("a rather long line of code", "that goes on", "and on", "until it is too wide")\n\`\`\`\n\n> A quotation with a [link](https://example.com).\n\n# Another heading\n\n[^1]: A note.`

/** What makes each state: chunks, and what the reader does. */
const STATES = {
  unknown: [[{ type: 'MESSAGES_SNAPSHOT', messages: [] }], (tab) => tab.page.getByRole('heading', { name: 'no messages' }).waitFor()],
  content: [[snapshot(QUESTION, ['assistant', FULL, FINISHED], QUESTION, ['assistant', FULL, FINISHED])], (tab) => tab.untilIdle(4)],
  arabic: [[snapshot(['user', 'كم تبعد الأرض عن القمر؟'], ['assistant', ARABIC, FINISHED])], (tab) => tab.untilIdle(2)],
  ends: [
    [
      snapshot(
        ...Object.values(ENDS).flatMap(([run]) => [QUESTION, ['assistant', 'About 384', run]]),
        [...QUESTION, { outcome: 'failed', error: 'Traceback (most recent call last):\n'.repeat(20) + 'The model does not exist: gpt-0' }],
      ),
    ],
    (tab) => tab.untilIdle(11),
  ],
  unanswered: [[snapshot(QUESTION)], (tab) => tab.page.getByText('has no answer').waitFor()],
  sending: [
    [snapshot(QUESTION, ANSWER)],
    async (tab, script) => {
      await tab.untilIdle(2)
      script.accept = new Promise(() => {})
      await tab.send('And the sun?')
      await tab.page.getByText('Sending…').waitFor()
    },
  ],
  thinking: [[snapshot(QUESTION), ...begun()], (tab) => tab.page.getByText(/^[1-9]\d* s$/).waitFor()],
  reasoning: [
    [snapshot(QUESTION), ...begun(), { type: 'REASONING_MESSAGE_CONTENT', messageId: 'think', delta: 'The user asks for a distance.' }],
    (tab) => tab.page.locator('.reasoning .seconds').waitFor(),
  ],
  writing: [[snapshot(QUESTION), ...begun(), said('About **384,400')], (tab) => tab.page.getByText('384,400').waitFor()],
  waiting: [[snapshot(QUESTION), ...begun(), said('About')], (tab) => tab.page.getByText('Waiting for the model…').waitFor()],
  queued: [
    [snapshot(QUESTION), ...begun(), said('About')],
    async (tab) => {
      await tab.page.getByText('About').waitFor()
      for (const text of ['And the sun, please, in a unit that says something to a walker who is not an astronomer?', 'And Mars?']) await tab.send(text)
      await tab.page.locator('.queue li').nth(1).waitFor()
    },
  ],
  held: [
    [snapshot(QUESTION), ...begun(), said('About')],
    async (tab, script) => {
      await tab.page.getByText('About').waitFor()
      await tab.send('And the sun?')
      script.emit(...ended({ outcome: 'stopped' }))
      await tab.button('Send now').waitFor()
    },
  ],
  reconnecting: [
    [snapshot(QUESTION), ...begun(), said('About')],
    async (tab, script) => {
      await tab.page.getByText('About').waitFor()
      script.cut(null)
      await tab.button('Try now').waitFor()
    },
  ],
  refused: [
    [snapshot(QUESTION, ANSWER)],
    async (tab, script) => {
      await tab.untilIdle(2)
      script.accept = Promise.resolve({ status: 409 })
      await tab.send('And the sun?')
      await tab.page.getByRole('alert').waitFor()
      await tab.untilIdle(2)
    },
  ],
  'signed out': [
    [snapshot(QUESTION, ANSWER)],
    async (tab, script) => {
      await tab.untilIdle(2)
      script.cut(401)
      await tab.page.getByRole('alert').waitFor()
    },
  ],
  editing: [
    [snapshot(QUESTION, ANSWER)],
    async (tab) => {
      await tab.untilIdle(2)
      await tab.messages.first().hover()
      await tab.messages.first().getByRole('button', { name: 'Edit' }).click()
      await tab.page.getByLabel('Edit message').waitFor()
    },
  ],
}

const PHONE = { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 }
const LOOKS = {
  light: { colorScheme: 'light' },
  dark: { colorScheme: 'dark' },
  phone: { colorScheme: 'light', ...PHONE },
  'right-to-left': { colorScheme: 'light', rtl: true },
  forced: { forcedColors: 'active' },
}

for (const [look, { rtl, ...options }] of Object.entries(LOOKS)) {
  test(`axe finds nothing in any state, ${look}`, { timeout: 300_000 }, async () => {
    for (const [name, [chunks, reach]] of Object.entries(STATES)) {
      const { tab, script, context } = await open(chunks, { reducedMotion: 'reduce', ...options })
      if (rtl) await tab.page.evaluate(() => (document.documentElement.dir = 'rtl'))
      await reach(tab, script)
      if (SHOTS) await tab.page.screenshot({ path: join(SHOTS, `${look}-${name.replace(' ', '-')}.png`) })
      assert.deepEqual(await violations(tab.page), [], name)
      const wide = await tab.page.evaluate(() => document.documentElement.scrollWidth > innerWidth)
      assert.equal(wide, false, `${name} is wider than the window`)
      if (look === 'phone') assert.deepEqual(await smallTargets(tab.page), [], `${name} has targets that are too small`)
      await context.close()
    }
  })
}

/** The controls that are smaller than 44 pixels; links in a text may be. */
function smallTargets(page) {
  return page.evaluate(() =>
    [...document.querySelectorAll('button, summary, textarea, .sidebar a, .themes label')]
      .filter((element) => element.checkVisibility({ visibilityProperty: true }))
      .map((element) => [element.textContent || element.tagName, element.getBoundingClientRect()])
      .filter(([, { width, height }]) => width < 44 || height < 44)
      .map(([name, { width, height }]) => `${name}: ${width} × ${height}`),
  )
}

test("the phone's list of chats is usable, in both directions", TIMEOUT, async () => {
  for (const dir of ['ltr', 'rtl']) {
    const { tab } = await open([snapshot(QUESTION, ANSWER)], { reducedMotion: 'reduce', ...PHONE })
    await tab.page.evaluate((dir) => (document.documentElement.dir = dir), dir)
    await tab.untilIdle(2)
    await tab.button('Chats').click()
    await tab.button('New chat').waitFor()
    if (SHOTS) await tab.page.screenshot({ path: join(SHOTS, `list-${dir}.png`) })
    const { x, width } = await tab.page.locator('.sidebar').boundingBox()
    assert.deepEqual([dir, Math.round(x)], dir === 'ltr' ? [dir, 0] : [dir, Math.round(390 - width)])
    assert.deepEqual(await violations(tab.page), [])
    assert.deepEqual(await smallTargets(tab.page), [])
  }
})

test('the whole conversation is printed, and nothing but it', TIMEOUT, async () => {
  const rows = Array.from({ length: 300 }, (_, index) => [index % 2 ? 'assistant' : 'user', `**line** ${index}`])
  const { tab } = await open([snapshot(...rows)])
  await tab.untilIdle(300)
  await tab.page.evaluate(() => window.dispatchEvent(new Event('beforeprint')))
  await tab.page.emulateMedia({ media: 'print' })
  const visible = (selector) => tab.page.locator(selector).first().isVisible()
  for (const selector of ['.sidebar', '.composer', '.message-actions', '.connection']) assert.equal(await visible(selector), false, selector)
  assert.equal(await tab.page.locator('.markdown strong').count(), 150)
  const { height, last } = await tab.page.evaluate(() => ({
    height: document.documentElement.scrollHeight,
    last: [...document.querySelectorAll('article.message')].at(-1).getBoundingClientRect().bottom,
  }))
  assert.ok(last > 5000 && last <= height, `the last message ends at ${last} of ${height}`)
  if (SHOTS) await tab.page.pdf({ path: join(SHOTS, 'print.pdf') })
})
