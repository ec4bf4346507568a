import { useSyncExternalStore } from 'react'
import { randomId } from './ids'

const CHAT_PATH = /^\/chat\/([A-Za-z0-9][A-Za-z0-9_.:-]{0,127})\/?$/
const NAVIGATED = 'chat:navigated'

export const chatPath = (id: string): string => `/chat/${id}`

/** Open a chat; without an id, a new one. */
export function openChat(id: string = randomId(), { replace = false } = {}): void {
  if (replace) history.replaceState(null, '', chatPath(id))
  else history.pushState(null, '', chatPath(id))
  window.dispatchEvent(new Event(NAVIGATED))
}

function currentChat(): string {
  const id = CHAT_PATH.exec(location.pathname)?.[1]
  if (id !== undefined) return id
  // Every other address is a new chat. It gets its own at once, so that a reload stays in it.
  const fresh = randomId()
  history.replaceState(null, '', chatPath(fresh))
  return fresh
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
