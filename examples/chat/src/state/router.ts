import { useSyncExternalStore } from 'react'
import { randomId } from './ids'

const CHAT_PATH = /^\/chat\/([A-Za-z0-9][A-Za-z0-9_.:-]{0,127})\/?$/
const NAVIGATED = 'chat:navigated'

/** What the browser remembers with the address of a chat that began in this tab. It outlives a reload. */
const BEGUN_HERE = { begunHere: true }

export const chatPath = (id: string): string => `/chat/${id}`

const fresh = new Set<string>()

function freshId(): string {
  const id = randomId()
  fresh.add(id)
  return id
}

/** Return whether the chat began on this page, so that the server cannot have anything that the page does not know. */
export const isFresh = (id: string): boolean => fresh.has(id)

/** Return whether the chat at the current address began in this tab, perhaps before a reload. */
export const beganHere = (): boolean => (history.state as Partial<typeof BEGUN_HERE> | null)?.begunHere === true

/** Open a chat; without an id, a new one. */
export function openChat(id?: string): void {
  if (id === undefined) history.pushState(BEGUN_HERE, '', chatPath(freshId()))
  else history.pushState(null, '', chatPath(id))
  window.dispatchEvent(new Event(NAVIGATED))
}

function currentChat(): string {
  const named = CHAT_PATH.exec(location.pathname)?.[1]
  if (named !== undefined) return named
  // Every other address is a new chat. It gets an address of its own at once, so that a reload stays in it.
  const id = freshId()
  history.replaceState(BEGUN_HERE, '', chatPath(id))
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

/** Return the id of the chat that the address names. */
export const useChatId = (): string => useSyncExternalStore(subscribe, currentChat)
