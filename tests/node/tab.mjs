// What the published ChatClient makes of frames: node tab.mjs, one case per line on stdin, one result per line on stdout.
// A case is {send, chunks}: the tab sends `send` first, if given, and `$OWN` in the chunks is then its message's id.
import { createInterface } from 'node:readline'
import { ChatClient } from '@tanstack/ai-client'

const write = console.log
console.log = console.warn = console.error = () => {}
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

for await (const line of createInterface({ input: process.stdin })) {
  const { send, chunks } = JSON.parse(line)
  const errors = []
  let feed
  const ready = new Promise((resolve) => (feed = resolve))
  let taken
  const all = new Promise((resolve) => (taken = resolve))
  const connection = {
    async *subscribe(signal) {
      yield* await ready
      taken()
      await new Promise((resolve) => signal?.addEventListener('abort', resolve))
    },
    async send() {},
  }
  const client = new ChatClient({ connection, threadId: 't', onError: (error) => errors.push(String(error)) })
  client.subscribe()
  if (send) client.sendMessage(send).catch((error) => errors.push(String(error)))
  await sleep(20)
  const own = client.getMessages().at(-1)?.id ?? 'u-other'
  feed(JSON.parse(JSON.stringify(chunks).replaceAll('$OWN', own)))
  await Promise.race([all, sleep(5000)])
  await sleep(50)
  const shown = client.getMessages().map(({ createdAt, ...message }) => message)
  const messages = JSON.parse(JSON.stringify(shown).replaceAll(own, '$OWN'))
  const interrupts = client.getInterrupts().map(({ id }) => id)
  write(JSON.stringify({ messages, interrupts, generating: client.getSessionGenerating(), errors }))
  client.dispose()
}
process.exit(0)
