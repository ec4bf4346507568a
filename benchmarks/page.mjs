// Measures the page on a chat of TURNS (2000) turns in Chromium: `node benchmarks/page.mjs`. Prints milliseconds.
import { launch, openTab } from '../tests/browser/browser.mjs'
import { snapshot, startScripted } from '../tests/browser/scripted.mjs'

const TURNS = Number(process.env.TURNS ?? 2000)
const KEYS = 'the quick brown fox jumps over the lazy dog '.repeat(2)
const LOADS = 5

const answer = (turn) =>
  `Answer **${turn}** has a paragraph of some length, with \`code\` and a [link](https://example.com/${turn}).\n\n` +
  `- first point of ${turn}\n- second point\n\nAnd a last sentence, which ends the turn.`

const rows = Array.from({ length: TURNS }, (_, turn) => [
  ['user', `Question ${turn}: how does this go on?`],
  ['assistant', answer(turn), { outcome: 'finished', finishReason: 'stop' }],
]).flat()

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]
const percentile = (values, share) => [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) * share)]
const rounded = (value) => `${Math.round(value)} ms`

/** Runs in the page: measures when the last message is painted, and the time from each key to its painted frame. */
function watch(last) {
  const measured = (window.measured = { loaded: null, keys: [] })
  const look = () => {
    const box = document.querySelector(`[data-id="${last}"]`)?.getBoundingClientRect()
    if (!box || box.top > innerHeight || document.querySelector('main').dataset.connection !== 'live') return requestAnimationFrame(look)
    // The frame that shows it is painted before the next task after it.
    requestAnimationFrame(() => setTimeout(() => (measured.loaded = performance.now())))
  }
  requestAnimationFrame(look)
  addEventListener(
    'keydown',
    () => {
      const start = performance.now()
      requestAnimationFrame(() => setTimeout(() => measured.keys.push(performance.now() - start)))
    },
    { capture: true },
  )
}

const server = await startScripted()
const browser = await launch()
const { script, url } = server.chat('long')
script.emit(snapshot(...rows))
const context = await browser.newContext({ viewport: { width: 1100, height: 800 } })
await context.addInitScript(watch, `m${rows.length}`)
const loads = []
let tab
for (let load = 0; load < LOADS; load++) {
  await tab?.page.close()
  tab = await openTab(context, url)
  await tab.until('the chat is there', () => window.measured.loaded !== null)
  loads.push(await tab.page.evaluate(() => window.measured.loaded))
}
const type = async () => {
  await tab.page.evaluate(() => (window.measured.keys = []))
  await tab.input.pressSequentially(KEYS, { delay: 40 })
  return tab.page.evaluate(() => window.measured.keys)
}
const keys = await type()
const log = tab.page.getByRole('log')
for (let step = 0; step < 60; step++) {
  await log.evaluate((box) => box.scrollBy(0, -700))
  await tab.page.waitForTimeout(30)
}
const keysAfter = await type()
const nodes = await tab.page.evaluate(() => document.querySelectorAll('*').length)
console.log(`${TURNS} turns, ${(JSON.stringify(snapshot(...rows)).length / 1e6).toFixed(1)} MB, ${nodes} elements`)
console.log(`load: ${rounded(median(loads))} (${loads.map(rounded).join(', ')})`)
console.log(`a key: ${rounded(median(keys))}, 95 %: ${rounded(percentile(keys, 0.95))}, longest: ${rounded(Math.max(...keys))}`)
console.log(`a key after scrolling: ${rounded(median(keysAfter))}, 95 %: ${rounded(percentile(keysAfter, 0.95))}`)
await browser.close()
await server.close()
