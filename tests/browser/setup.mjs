// One browser and one server for the tests of a file; each test gets a device of its own.
import { after, before } from 'node:test'
import { launch, openTab } from './browser.mjs'
import { startServer } from './server.mjs'

/** The longest that one test may take, in milliseconds. */
export const TIMEOUT = { timeout: 120_000 }

let chats = 0

/** What the tests of a file share; there once they run. */
export function setUp(environ) {
  const shared = {
    /** A browser with nothing remembered yet: another device. */
    device: (options) => shared.browser.newContext({ viewport: { width: 1100, height: 800 }, ...options }),
    /** A chat that no test has used, its address, and a device. */
    async chat(options) {
      const device = await shared.device(options)
      const path = `/chat/test-${process.pid}-${++chats}`
      const url = shared.server.url + path
      return { device, path, url, open: (on = device) => openTab(on, url) }
    },
  }
  before(async () => {
    shared.server = await startServer(environ)
    shared.browser = await launch()
  })
  after(async () => {
    await shared.browser?.close()
    await shared.server?.close()
  })
  return shared
}
