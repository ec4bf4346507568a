// Both published versions of AG-UI's HttpAgent, as an app that comes back to chats makes agents of them.
import { HttpAgent as Old, runHttpRequest as oldRequest, transformHttpEventStream as oldEvents } from '@ag-ui/client-0'
import { HttpAgent, runHttpRequest, transformHttpEventStream } from '@ag-ui/client'

// Agents write what fails to the console as well, and 1.0 warns of each field that it strips.
console.error = () => {}
export const warnings = []
console.warn = (...words) => warnings.push(words.join(' '))

const connecting = (Agent, send, events) =>
  class extends Agent {
    connect(input) {
      return events(send(() => this.fetch(`${this.url}/connect`, this.requestInit(input))))
    }
  }

export const VERSIONS = {
  '0.0.59': connecting(Old, oldRequest, oldEvents),
  '1.0': connecting(HttpAgent, runHttpRequest, transformHttpEventStream),
}

/** fetch, but for readers that can be cancelled after their body broke off: the agents leave that rejection unhandled. */
export async function calmFetch(...request) {
  const response = await fetch(...request)
  if (response.body === null) return response
  const getReader = response.body.getReader.bind(response.body)
  response.body.getReader = () => {
    const reader = getReader()
    const cancel = reader.cancel.bind(reader)
    reader.cancel = (reason) => cancel(reason).catch(() => {})
    return reader
  }
  return response
}

/** An agent of a version for one chat of the server at `url`. */
export function newAgent(version, url, threadId, more = {}) {
  return watched(new VERSIONS[version]({ url: `${url}/api/ag-ui`, threadId, fetch: calmFetch, ...more }))
}

/** The agent, which notes in `ends` how its runs end. */
export function watched(agent) {
  agent.ends = []
  agent.subscribe({
    onRunFinishedEvent: ({ outcome }) => void agent.ends.push(outcome),
    onRunErrorEvent: ({ event }) => void agent.ends.push(`${event.code ?? 'error'}: ${event.message}`),
  })
  return agent
}

let asked = 0

/** Adds a message of the user and runs the agent; returns the error, null if there is none. */
export function say(agent, content, parameters = {}) {
  agent.addMessage({ id: `u-${agent.threadId}-${(asked += 1)}`, role: 'user', content })
  return run(agent, parameters)
}

export const run = (agent, parameters) => agent.runAgent(parameters).then(() => null, (error) => error)
export const connect = (agent) => agent.connectAgent().then(() => null, (error) => error)

/** What rows show, part by part. */
export function shownRows(rows) {
  const shown = []
  for (const row of rows) {
    if (row.role === 'tool') {
      const at = shown.findLastIndex(([kind, id]) => kind === 'call' && id === row.toolCallId)
      shown.splice(at + 1, 0, ['result', row.toolCallId, row.content])
      continue
    }
    const content = typeof row.content === 'string' ? [{ text: row.content }] : (row.content ?? [])
    for (const part of content) {
      const said = part.text ?? part.source.value
      if (said) shown.push([row.role, said])
    }
    for (const { id, function: called } of row.toolCalls ?? []) shown.push(['call', id, called.name, called.arguments])
  }
  return shown
}

/** What the fold's messages show, as `shownRows` puts it. */
export function shownMessages(messages) {
  const shown = []
  for (const { role, parts } of messages) {
    for (const part of parts) {
      if (part.type === 'thinking') shown.push(['reasoning', part.content])
      else if (part.type === 'text' && part.content) shown.push([role, part.content])
      else if (part.type === 'tool-call') shown.push(['call', part.id, part.name, part.arguments])
      else if (part.type === 'tool-result') {
        const at = shown.findLastIndex(([kind, id]) => kind === 'call' && id === part.toolCallId)
        shown.splice(at + 1, 0, ['result', part.toolCallId, part.content])
      } else if (part.source) shown.push([role, part.source.value])
    }
  }
  return shown
}

/** How the last run of a chat ended, as its rows say. */
export const outcome = (rows) => rows.findLast((row) => row.metadata?.resumable)?.metadata.resumable.run.outcome
