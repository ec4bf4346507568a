import { useSyncExternalStore } from 'react'
import { randomId } from './ids'

const CHAT_PATH = /^\/chat\/([A-Za-z0-9][A-Za-z0-9_.:-]{0,127})\/?$/
const NAVIGATED = 'chat:navigated'

export const chatPath = (id: string): string => `/chat/${id}`

const fresh = new Set<string>()

function freshId(): string {
  const id = randomId()
  fresh.add(id)
  return id
}

/** Whether the chat was begun on this page, so that the server has nothing of it that the page does not know. */
export const isFresh = (id: string): boolean => fresh.has(id)

/** Open a chat; without an id, a new one. */
export function openChat(id: string = freshId(), { replace = false } = {}): void {
  if (replace) history.replaceState(null, '', chatPath(id))
  else history.pushState(null, '', chatPath(id))
  window.dispatchEvent(new Event(NAVIGATED))
}

function currentChat(): string {
  const named = CHAT_PATH.exec(location.pathname)?.[1]
  if (named !== undefined) return named
  // Every other address is a new chat. It gets its own at once, so that a reload stays in it.
  const id = freshId()
  history.replaceState(null, '', chatPath(id))
  return id
}

function subscribe(listener: () => void): () => void {
  window.addEventListener('popstate', listener)
  window.addEventListener(NAVIGATED, listener)
  return () => {
    window.removeEventListener('popstate', listener)
    window.removeEventListener(NAVIGATED, listener)
  }
}

/** The id of the chat that the address names. */
export const useChatId = (): string => useSyncExternalStore(subscribe, currentChat)
