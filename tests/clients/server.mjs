// The real local server as a process of its own, which can be killed and started again on the same log.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PYTHON = process.env.PYTHON ?? join(ROOT, '.venv/bin/python')
const START_SECONDS = 60
const SNAPSHOT = /^data: ([^\n]*)\n\n/m

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

/** Starts `python -m functions.local` with tests/clients/model.py; `environ` adds to its environment. */
export async function startServer(environ = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'chat-clients-'))
  const log = join(folder, 'chat.db')
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  let running
  let complaints = ''

  async function start() {
    running = spawn(PYTHON, ['-m', 'functions.local'], {
      cwd: ROOT,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...process.env,
        PORT: String(port),
        CHAT_LOG: `sqlite:///${log}`,
        CHAT_SOURCE: 'tests.clients.model:answer',
        CHAT_LEASE_MS: '3000',
        LOG_LEVEL: 'WARNING',
        ...environ,
      },
    })
    running.stderr.on('data', (data) => (complaints = (complaints + data).slice(-20_000)))
    for (const deadline = Date.now() + START_SECONDS * 1000; ; ) {
      if (running.exitCode !== null || Date.now() > deadline) throw new Error(`the server did not start: ${complaints}`)
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
    log,
    start,
    /** The end of what the server wrote to its standard error. */
    complaints: () => complaints,
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    async close() {
      await end('SIGTERM')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Writes `number` chats of odd events, `odd-0` and so on, into a server's log, as another writer might. */
export function writeOddChats(server, number) {
  execFileSync(PYTHON, ['-m', 'tests.clients.odd', server.log, String(number)], { cwd: ROOT })
}

/** A chat's messages as any reader gets them: the snapshot of a new replay, once nothing runs. */
export async function stored(server, id, seconds = 30) {
  await until(
    `nothing runs in ${id}`,
    async () => {
      const history = await fetch(`${server.url}/api/chat/stream?threadId=${id}&limit=1`)
      return (await history.json()).activeRun === null
    },
    seconds,
  )
  const aborting = new AbortController()
  const signal = AbortSignal.any([aborting.signal, AbortSignal.timeout(seconds * 1000)])
  const response = await fetch(`${server.url}/api/chat/replay?id=${id}`, { signal })
  if (!response.ok) throw new Error(`the replay answered ${response.status}`)
  const decoder = new TextDecoder()
  let text = ''
  for await (const part of response.body) {
    text += decoder.decode(part, { stream: true })
    if (SNAPSHOT.test(text)) break
  }
  aborting.abort()
  return JSON.parse(SNAPSHOT.exec(text)[1]).messages
}

/** Waits until `holds()`; `what` says in the error what did not come true. */
export async function until(what, holds, seconds = 30) {
  const deadline = Date.now() + seconds * 1000
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited ${seconds} s in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** Numbers between 0 and 1 that are the same for the same seed. */
export function randomly(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
