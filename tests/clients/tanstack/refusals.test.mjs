// What the stock client makes of requests that are refused: it settles, and says which status it was.
import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { after, test } from 'node:test'
import { startServer, until } from '../server.mjs'
import { openPage } from './page.mjs'

const servers = []
async function started(environ) {
  const server = await startServer(environ)
  servers.push(server)
  return server
}
after(() => Promise.all(servers.map((server) => server.close())), { timeout: 60_000 })

async function refused(server, content, status) {
  const page = openPage(server.url, 'refused')
  await page.send(content)
  await until('the page settles', page.settled)
  assert.equal(page.client.getStatus(), 'error')
  assert.match(String(page.errors[0]), new RegExp(`status: ${status}`))
  page.leave()
}

test('a caller that nobody knows is told to sign in', async () => {
  const server = await started({ CHAT_AUTH: 'required' })
  await refused(server, 'count 1', 401)
  const hydrated = await fetch(`${server.url}/api/chat/stream?threadId=refused`)
  assert.equal(hydrated.status, 401)
  assert.equal(hydrated.headers.get('cache-control'), 'no-store')
  assert.match((await hydrated.json()).detail, /Sign in/)
})

test('a message over the limit is refused', async () => {
  await refused(await started({}), 'x'.repeat(6 * 1024 * 1024), 413)
})

test('a log that cannot be reached is a 503, for a send, a join and a history', async () => {
  const server = await started({})
  await openPage(server.url, 'refused').send('count 1')
  await Promise.all(['', '-wal', '-shm'].map((suffix) => rm(server.log + suffix, { force: true })))
  await refused(server, 'count 1', 503)
  for (const query of ['threadId=other', 'id=other&offset=-1&runId=r']) {
    const response = await fetch(`${server.url}/api/chat/stream?${query}`)
    assert.equal(response.status, 503, query)
    assert.equal(response.headers.get('retry-after'), '1')
  }
})

test('a join of a run that nobody knows leaves the page as it is', async () => {
  const server = await started({})
  const response = await fetch(`${server.url}/api/chat/stream?id=refused&offset=-1&runId=nobody`)
  assert.equal(response.status, 404)
  const page = openPage(server.url, 'refused', { client: { initialResumeSnapshot: { resumeState: { threadId: 'refused', runId: 'nobody' } } } })
  await until('the page settles', page.settled)
  assert.deepEqual([page.errors, page.shown()], [[], []])
  page.leave()
})
