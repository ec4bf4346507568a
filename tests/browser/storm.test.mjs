// Two devices, three tabs, and everything at once: STORM_SEED=2 tries another history, STORM_ROUNDS=50 a longer one.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openTab, PATIENCE } from './browser.mjs'
import { startNetwork } from './network.mjs'
import { setUp } from './setup.mjs'

const SEED = Number(process.env.STORM_SEED ?? 1)
const ROUNDS = Number(process.env.STORM_ROUNDS ?? 8)
const shared = setUp()

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function randomOf(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

test(`whatever is done to a chat, all tabs end with the same (seed ${SEED})`, { timeout: 120_000 + ROUNDS * 45_000 }, async (context) => {
  const random = randomOf(SEED)
  const below = (limit) => Math.floor(random() * limit)
  const { device, path, url } = await shared.chat()
  const phone = await shared.device()
  const network = await startNetwork(shared.server.url)
  const tabs = [await openTab(device, url), await openTab(device, url), await openTab(phone, network.url + path)]
  for (const tab of tabs) tab.expectErrors(/net::ERR_/, /status of 409/)
  const done = []
  let sent = 0

  const soon = (locator) => locator.click({ timeout: 500 }).catch(() => {})
  const actions = {
    async send(tab) {
      await tab.send(`count ${10 + below(150)} every ${below(20)}, message ${++sent}`)
    },
    async stop(tab) {
      await soon(tab.button('Stop'))
    },
    async regenerate(tab) {
      const answers = tab.page.locator('article[data-role=assistant]')
      const count = await answers.count()
      if (count === 0) return
      const answer = answers.nth(Math.max(0, count - 1 - below(2)))
      await soon(answer.getByRole('button', { name: 'Regenerate' }))
    },
    async edit(tab) {
      const own = tab.page.locator('article[data-role=user]')
      const count = await own.count()
      if (count === 0) return
      const message = own.nth(Math.max(0, count - 1 - below(3)))
      await soon(message.getByRole('button', { name: 'Edit' }))
      const field = tab.page.getByLabel('Edit message')
      await field.fill(`count ${5 + below(50)} every 5, edit ${++sent}`, { timeout: 500 }).catch(() => {})
      await field.press('Enter', { timeout: 500 }).catch(() => {})
    },
    async reload(tab) {
      await tab.page.reload()
    },
    async lose() {
      await network.lose(phone)
      await pause(100 + below(3000))
      await network.find(phone)
    },
    async kill() {
      await shared.server.kill()
      await pause(below(1500))
      await shared.server.start()
    },
  }
  const names = ['send', 'send', 'send', 'stop', 'regenerate', 'edit', 'reload', 'lose', 'kill']

  for (let round = 0; round < ROUNDS; round++) {
    for (let step = 0; step < 5; step++) {
      const name = names[below(names.length)]
      const which = below(tabs.length)
      done.push(`${name} ${which}`)
      // A page that cannot be loaded while the server is away is no finding.
      await actions[name](tabs[which])
      await pause(below(600))
    }
    await settle(device, url, tabs, done)
  }
  context.diagnostic(done.join(', '))
  for (const tab of tabs) tab.assertNoErrors()
  await network.close()
})

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Waits until nothing is written and every tab shows what a fresh load shows. */
async function settle(device, url, tabs, done) {
  for (const tab of tabs) {
    // What is queued, and what is left of edits that were refused.
    const queued = tab.page.getByRole('button', { name: 'Remove from queue' }).first()
    while (await queued.click({ timeout: 200 }).then(() => true, () => false));
    await tab.page.getByRole('button', { name: 'Cancel' }).click({ timeout: 200 }).catch(() => {})
    await tab.input.fill('')
  }
  const deadline = Date.now() + PATIENCE + 10_000
  for (;;) {
    const fresh = await openTab(device, url)
    await pause(300)
    const shown = []
    for (const tab of [fresh, ...tabs]) {
      const { busy, connection } = await tab.page.locator('main').evaluate(({ dataset }) => ({ ...dataset }))
      shown.push({ busy, connection, transcript: await tab.transcript() })
    }
    await fresh.page.close()
    const [first, ...others] = shown
    try {
      for (const one of shown) assert.deepEqual([one.busy, one.connection], ['false', 'live'])
      for (const one of others) assert.deepEqual(one.transcript, first.transcript)
      assertCounted(first.transcript)
      return
    } catch (error) {
      if (Date.now() < deadline) continue
      const seen = shown.map(({ transcript, ...rest }) => ({ ...rest, texts: transcript.map(({ role, shown }) => `${role}: ${shown}`) }))
      throw new Error(`after ${done.join(', ')}: ${error.message}\n${JSON.stringify(seen, null, 1)}`)
    }
  }
}

/** Each answer counts from one without a gap, as far as it goes. */
function assertCounted(transcript) {
  for (const { role, shown } of transcript) {
    if (role !== 'assistant') continue
    const text = shown.replace(/<[^>]*>/g, '').trim()
    if (text === '') continue
    const numbers = text.replace(/ of \d+\.$|of \d+\.$/, '').split(' ').map(Number)
    assert.deepEqual(numbers, numbers.map((_, index) => index + 1), 'an answer has lost or doubled something')
  }
}
