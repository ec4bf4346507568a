// Pages as users of the stock adapter write them, and what they show.
import { ChatClient, fetchServerSentEvents } from '@tanstack/ai-client'

export const plain = (messages) =>
  JSON.parse(JSON.stringify(messages.map(({ createdAt, ...message }) => message)))

/**
 * Opens a page on a chat. `reload()` leaves it in the middle of whatever it does and opens the next one, which takes
 * everything from the server.
 */
export function openPage(url, id, { reconnect = { maxAttempts: 5, delayMs: 20 }, ...options } = {}) {
  const errors = []
  const connection = fetchServerSentEvents(`${url}/api/chat/stream?id=${id}`, { reconnect, ...options.connection })
  const client = new ChatClient({
    connection,
    threadId: id,
    persistence: true,
    onError: (error) => errors.push(error),
    ...options.client,
  })
  client.attach?.()
  const page = {
    client,
    errors,
    shown: () => plain(client.getMessages()),
    text: () =>
      client
        .getMessages()
        .flatMap(({ parts }) => parts.filter(({ type }) => type === 'text').map(({ content }) => content))
        .join('\n'),
    send: (content) => client.sendMessage(content).catch((error) => errors.push(error)),
    settled: () => !client.getIsLoading() && ['ready', 'error'].includes(client.getStatus()),
    leave() {
      client.detach?.()
      client.dispose()
    },
    reload() {
      page.leave()
      return openPage(url, id, { reconnect, ...options })
    },
  }
  return page
}
