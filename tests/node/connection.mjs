// A plain fetch adapter for ChatClient: subscribe reads the replay and comes back with its cursor, send posts.
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

async function* events(body) {
  const decoder = new TextDecoder()
  let buffer = ''
  for await (const part of body) {
    buffer += decoder.decode(part, { stream: true })
    for (let end; (end = buffer.indexOf('\n\n')) >= 0; buffer = buffer.slice(end + 2)) {
      const event = {}
      for (const line of buffer.slice(0, end).split('\n')) {
        const colon = line.indexOf(': ')
        if (colon > 0) event[line.slice(0, colon)] = line.slice(colon + 2)
      }
      if (event.data) yield event
    }
  }
}

export function createConnection(base, id) {
  const seen = { cursor: undefined, runId: undefined, ids: [] }
  const connection = {
    async *subscribe(signal) {
      while (!signal?.aborted) {
        try {
          const from = seen.cursor === undefined ? '' : `&from=${seen.cursor}`
          const response = await fetch(`${base}/api/chat/replay?id=${id}${from}`, { signal })
          if (!response.ok) throw new Error(`replay answered ${response.status}`)
          for await (const event of events(response.body)) {
            if (event.id !== undefined) {
              seen.cursor = Number(event.id)
              seen.ids.push(seen.cursor)
            }
            const chunk = JSON.parse(event.data)
            if (chunk.type === 'RUN_STARTED') seen.runId = chunk.runId
            yield chunk
          }
        } catch (error) {
          if (signal?.aborted) return
          await sleep(50)
        }
      }
    },
    async send(messages, data, signal, context) {
      const response = await fetch(`${base}/api/chat`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ id, messages, data, runId: context?.runId, from: seen.cursor }),
        signal,
      })
      if (!response.ok) throw new Error(`send answered ${response.status}: ${await response.text()}`)
    },
  }
  const stop = () =>
    fetch(`${base}/api/chat`, {
      method: 'DELETE',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ id, runId: seen.runId }),
    }).then((response) => response.status)
  return { connection, seen, stop }
}
