// This repository's server, and a proxy that can cut its connections.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sleep } from './scripted.mjs'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const PYTHON = process.env.PYTHON ?? join(ROOT, '.venv/bin/python')

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

/** `python -m functions.local` with a log of its own. `kill` and `start` end it hard, and bring it back. */
export async function pythonServer(t, environment = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'chat-'))
  const port = await freePort()
  const server = { port, base: `http://127.0.0.1:${port}`, process: undefined }
  server.start = async () => {
    const child = spawn(PYTHON, ['-m', 'functions.local'], {
      cwd: ROOT,
      env: {
        ...process.env,
        PORT: String(port),
        CHAT_LOG: `sqlite:///${join(folder, 'chat.db')}`,
        LOG_LEVEL: 'CRITICAL',
        ...environment,
      },
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    server.process = child
    for (const deadline = Date.now() + 20_000; ; await sleep(50)) {
      try {
        return await (await fetch(`${server.base}/`)).text()
      } catch (error) {
        if (Date.now() > deadline || child.exitCode !== null) throw error
      }
    }
  }
  server.kill = async (signal = 'SIGKILL') => {
    if (server.process.exitCode !== null || server.process.signalCode !== null) return
    const exited = once(server.process, 'exit')
    server.process.kill(signal)
    await exited
  }
  t.after(async () => {
    await server.kill()
    rmSync(folder, { recursive: true, force: true })
  })
  await server.start()
  return server
}

/** A TCP proxy before a server. `cut()` breaks all connections; `loseAnswer` drops the next answer to a method. */
export async function proxy(t, server) {
  const pairs = new Set()
  const state = { loseAnswer: undefined, cuts: 0 }
  const listener = createServer((inner) => {
    const outer = connect(server.port, '127.0.0.1')
    const close = () => {
      inner.destroy()
      outer.destroy()
      pairs.delete(close)
    }
    pairs.add(close)
    let losing = false
    inner.on('data', (data) => {
      if (state.loseAnswer && data.toString('latin1').startsWith(state.loseAnswer)) {
        state.loseAnswer = undefined
        losing = true
      }
      outer.write(data)
    })
    outer.on('data', (data) => (losing ? close() : inner.write(data)))
    for (const socket of [inner, outer]) socket.on('close', close).on('error', close)
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  state.base = `http://127.0.0.1:${listener.address().port}`
  state.cut = () => {
    state.cuts++
    for (const close of [...pairs]) close()
  }
  t.after(() => {
    state.cut()
    listener.close()
  })
  return state
}
