// The real local server as a process of its own, which can be killed and started again on the same log.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const START_SECONDS = 30

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

/** Starts `python -m functions.local` with the scripted model; `environ` adds to its environment. */
export async function startServer(environ = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'chat-browser-'))
  const port = await freePort()
  const url = `http://localhost:${port}`
  let running

  async function start() {
    const process_ = spawn(join(ROOT, '.venv/bin/python'), ['-m', 'functions.local'], {
      cwd: ROOT,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...process.env,
        PORT: String(port),
        CHAT_LOG: `sqlite:///${folder}/chat.db`,
        CHAT_SOURCE: 'tests.browser.model:answer',
        CHAT_LEASE_MS: '3000',
        LOG_LEVEL: 'WARNING',
        ...environ,
      },
    })
    let complaints = ''
    process_.stderr.on('data', (data) => (complaints = (complaints + data).slice(-4000)))
    running = process_
    for (const deadline = Date.now() + START_SECONDS * 1000; ; ) {
      if (process_.exitCode !== null || Date.now() > deadline) throw new Error(`the server did not start: ${complaints}`)
      try {
        await fetch(url, { signal: AbortSignal.timeout(1000) })
        return
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
  }

  /** Ends the process, at once and without a word (SIGKILL), or as a shutdown does (SIGTERM). */
  async function end(signal) {
    if (running.exitCode !== null || running.signalCode !== null) return
    running.kill(signal)
    await once(running, 'exit')
  }

  await start()
  return {
    url,
    start,
    kill: () => end('SIGKILL'),
    async close() {
      await end('SIGTERM')
      await rm(folder, { recursive: true, force: true })
    },
  }
}
