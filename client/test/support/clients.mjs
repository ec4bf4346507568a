// The published ChatClient, oldest and newest, as a tab of a chat.
import { sleep, until } from './scripted.mjs'

const names = process.env.AI_CLIENTS?.split(',') ?? ['ai-client-oldest', '@tanstack/ai-client']

/** [version, ChatClient, whether it is the newest] of each version that is tested. */
export const CLIENTS = await Promise.all(
  names.map(async (name) => {
    const url = new URL(`../../node_modules/${name}/package.json`, import.meta.url)
    const { default: manifest } = await import(url, { with: { type: 'json' } })
    return [manifest.version, (await import(name)).ChatClient, name === '@tanstack/ai-client']
  }),
)

/** A tab: a client on this connection. */
export function openTab(t, ChatClient, connection, options = {}) {
  const tab = { connection, errors: [], statuses: [] }
  tab.client = new ChatClient({
    connection,
    onError: (error) => tab.errors.push(error),
    onStatusChange: (status) => tab.statuses.push(status),
    ...options,
  })
  tab.messages = () => tab.client.getMessages().map(({ createdAt, ...message }) => message)
  tab.text = (index = -1) =>
    (tab.messages().at(index)?.parts ?? [])
      .filter(({ type }) => type === 'text')
      .map(({ content }) => content)
      .join('')
  tab.settled = (count) => tab.messages().length === count && !tab.client.getSessionGenerating() && !tab.client.getIsLoading()
  tab.close = () => {
    tab.client.stop()
    tab.client.unsubscribe()
  }
  t.after(tab.close)
  return tab
}

/** Subscribes, as `useChat` does with `live`. */
export async function live(tab) {
  tab.client.subscribe()
  await until('the tab is live', () => tab.connection.state === 'live')
  await sleep(20)
  return tab
}
