// Chromium, and tabs in it that know what they show and what went wrong in them.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { chromium } from 'playwright-core'

const PATHS = process.env.CHROMIUM
  ? [process.env.CHROMIUM]
  : ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** What a tab waits for, at most. */
export const PATIENCE = 30_000

export async function launch() {
  const executablePath = PATHS.find((path) => existsSync(path))
  if (!executablePath) {
    throw new Error(`There is no Chromium at ${PATHS.join(', ')}: install it, or name one with CHROMIUM=/path/to/it.`)
  }
  return chromium.launch({ executablePath, args: ARGUMENTS })
}

/** A tab on `url`. `context` is a device: its tabs share what a browser remembers. */
export async function openTab(context, url) {
  const page = await context.newPage()
  page.setDefaultTimeout(PATIENCE)
  const tab = new Tab(page)
  await page.goto(url)
  return tab
}

export class Tab {
  #errors = []
  #expected = []

  constructor(page) {
    this.page = page
    page.on('console', (message) => {
      if (message.type() === 'error') this.#errors.push(`${message.text()} (${message.location().url})`)
    })
    page.on('pageerror', (error) => this.#errors.push(`uncaught: ${error.stack ?? error}`))
  }

  /** Errors in the console that this test causes itself. */
  expectErrors(...patterns) {
    this.#expected.push(...patterns)
  }

  assertNoErrors() {
    const unexpected = this.#errors.filter((error) => !this.#expected.some((pattern) => pattern.test(error)))
    assert.deepEqual(unexpected, [], 'the console shows errors')
  }

  get input() {
    return this.page.getByLabel('Message', { exact: true })
  }

  get messages() {
    return this.page.locator('article.message')
  }

  get last() {
    return this.messages.last()
  }

  async send(text) {
    await this.input.fill(text)
    await this.input.press('Enter')
  }

  button(name) {
    return this.page.getByRole('button', { name, exact: true })
  }

  /** Waits until the page holds what the function, which runs in it, says. */
  async until(what, holds, argument) {
    try {
      await this.page.waitForFunction(holds, argument, { polling: 30, timeout: PATIENCE })
    } catch (error) {
      throw new Error(`waited in vain until ${what}; the page shows: ${await this.page.locator('body').innerText()}`, { cause: error })
    }
  }

  /** Waits until the last answer has begun with this many numbers (of the scripted model). */
  untilCounted(number) {
    return this.until(
      `the answer is at ${number}`,
      (number) => [...document.querySelectorAll('article.message')].at(-1)?.textContent.includes(` ${number} `),
      number,
    )
  }

  /** Waits until nothing is being written and the tab is live. */
  untilIdle(count) {
    return this.until(
      `${count} messages are there and nothing is being written`,
      (count) => {
        const { busy, connection } = document.querySelector('main').dataset
        return busy === 'false' && connection === 'live' && document.querySelectorAll('article.message').length === count
      },
      count,
    )
  }

  /** The messages on the screen: who wrote them, and everything that is shown of them. */
  transcript() {
    return this.page.evaluate(() =>
      [...document.querySelectorAll('article.message')].map((message) => ({
        id: message.dataset.id,
        role: message.dataset.role,
        shown: message.querySelector('.message-body')?.innerHTML,
      })),
    )
  }

  texts() {
    return this.page.locator('article.message .message-body').allInnerTexts()
  }

  status() {
    return this.page.locator('main').getAttribute('data-status')
  }
}

/** All tabs show what a tab shows that is opened now, they are at rest, and nothing went wrong in them. */
export async function assertAllAgree(context, url, count, ...tabs) {
  const fresh = await openTab(context, url)
  try {
    await fresh.untilIdle(count)
    const expected = await fresh.transcript()
    for (const tab of tabs) {
      await tab.untilIdle(count)
      assert.deepEqual(await tab.transcript(), expected, 'a tab shows other messages than a fresh load')
      assert.equal(await tab.status(), 'ready')
      tab.assertNoErrors()
    }
    fresh.assertNoErrors()
    return expected
  } finally {
    await fresh.page.close()
  }
}

/** What `count N` is answered with. */
export function counted(number, turns) {
  return `${Array.from({ length: number }, (_, index) => index + 1).join(' ')} of ${turns}.`
}
