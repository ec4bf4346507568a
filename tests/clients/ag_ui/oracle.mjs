// What the published clients make of a response: node oracle.mjs, one case per line on stdin, one result per line on stdout.
// A case is {bodies, messages, connect}: `bodies` are the response's bytes as text, one for 0.0.59 and one for 1.0,
// `messages` what the client has before, and `connect` says that it comes to a chat instead of running one.
import { createInterface } from 'node:readline'
import { HttpAgent as Current } from '@ag-ui/client'
import { HttpAgent as Old, runHttpRequest as request, transformHttpEventStream as transform } from '@ag-ui/client-0'
import * as current from '@ag-ui/client'

const write = console.log
const warned = []
console.log = console.error = () => {}
console.warn = (...words) => warned.push(words.join(' '))

// AG-UI leaves `connect` to those who make agents.
const connecting = (Agent, send, events) =>
  class extends Agent {
    connect(input) {
      return events(send(() => this.fetch(this.url, this.requestInit(input))))
    }
  }
const agents = [
  ['0.0.59', connecting(Old, request, transform)],
  ['1.0', connecting(Current, current.runHttpRequest, current.transformHttpEventStream)],
]

async function played(Agent, body, { messages = [], connect = false }) {
  warned.length = 0
  const agent = new Agent({
    url: 'http://chat.example/api/ag-ui',
    threadId: 't',
    initialMessages: messages,
    fetch: async () => new Response(body, { headers: { 'content-type': 'text/event-stream' } }),
  })
  const ends = []
  const watch = {
    onRunFinishedEvent: ({ outcome }) => void ends.push(outcome),
    onRunErrorEvent: ({ event }) => void ends.push(`error ${event.code ?? ''}: ${event.message}`),
  }
  let error = null
  try {
    await (connect ? agent.connectAgent({}, watch) : agent.runAgent({}, watch))
  } catch (caught) {
    error = String(caught.message ?? caught)
  }
  return {
    messages: agent.messages,
    state: agent.state,
    interrupts: agent.pendingInterrupts.map(({ id }) => id),
    running: agent.isRunning,
    ends,
    error,
    warned: [...warned],
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const given = JSON.parse(line)
  const results = {}
  for (const [index, [name, Agent]] of agents.entries()) {
    results[name] = await played(Agent, given.bodies[index], given)
  }
  write(JSON.stringify(results))
}
