import { useSyncExternalStore } from 'react'
import { clipped } from '../text'
import { Listeners } from './listeners'
import { load, save } from './storage'

/** A chat in this browser's list. The chat itself is on the server. */
export interface ChatEntry {
  id: string
  title: string
  /** When this browser last sent a message to it, in milliseconds since 1970. */
  updatedAt: number
}

const KEY = 'chats'
const MAX_CHATS = 500
const MAX_TITLE = 80
const local = () => localStorage

let entries: readonly ChatEntry[] = read()
const listeners = new Listeners()

function read(): readonly ChatEntry[] {
  return load(local, KEY, (value) => (Array.isArray(value) ? value.filter(isEntry) : [])) ?? []
}

function isEntry(value: unknown): value is ChatEntry {
  const entry = value as Partial<ChatEntry> | null
  return typeof entry?.id === 'string' && typeof entry.title === 'string' && typeof entry.updatedAt === 'number'
}

function write(change: (entries: readonly ChatEntry[]) => readonly ChatEntry[]): void {
  // Another tab may have written since.
  entries = [...change(read())].sort((a, b) => b.updatedAt - a.updatedAt).slice(0, MAX_CHATS)
  save(local, KEY, entries)
  listeners.notify()
}

window.addEventListener('storage', (event) => {
  if (event.key !== KEY && event.key !== null) return
  entries = read()
  listeners.notify()
})

/** Return the first line of a text, shortened for the list. */
export function titleOf(text: string): string {
  const line = text.trim().split('\n', 1)[0]?.replace(/\s+/g, ' ') ?? ''
  return clipped(line, MAX_TITLE)
}

/** Add a chat to the list, or move it to the top. A chat keeps the title that it has. */
export function touchChat(id: string, title: string): void {
  write((all) => {
    const known = all.find((entry) => entry.id === id)
    const entry = { id, title: known?.title || title || 'New chat', updatedAt: Date.now() }
    return [entry, ...all.filter((other) => other.id !== id)]
  })
}

/** Add a chat that was opened by its address. A chat that is already in the list stays as it is. */
export function listChat(id: string, title: string, updatedAt: number): void {
  if (entries.some((entry) => entry.id === id)) return
  write((all) => (all.some((entry) => entry.id === id) ? all : [...all, { id, title: title || 'New chat', updatedAt }]))
}

/** Remove a chat from the list. The server keeps it, and its address still works. */
export function removeChat(id: string): void {
  write((all) => all.filter((entry) => entry.id !== id))
}

/** Put a removed chat back into the list. */
export function restoreChat(entry: ChatEntry): void {
  write((all) => [entry, ...all.filter((other) => other.id !== entry.id)])
}

/** The chats of this browser, the newest first. */
export const useChats = (): readonly ChatEntry[] => useSyncExternalStore(listeners.subscribe, () => entries)
