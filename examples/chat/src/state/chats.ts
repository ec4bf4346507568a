import { useSyncExternalStore } from 'react'
import { load, save } from './storage'

/** One line of the list of chats. The chats themselves are on the server; the list is this browser's. */
export interface ChatEntry {
  id: string
  title: string
  /** Milliseconds since 1970 of the last message that was sent from this browser. */
  updatedAt: number
}

const KEY = 'chats'
const MAX_CHATS = 500
const MAX_TITLE = 80
const local = () => localStorage

let entries: readonly ChatEntry[] = read()
const listeners = new Set<() => void>()

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
  for (const listener of listeners) listener()
}

window.addEventListener('storage', (event) => {
  if (event.key !== KEY && event.key !== null) return
  entries = read()
  for (const listener of listeners) listener()
})

/** The first line of a text, short enough for the list. */
export function titleOf(text: string): string {
  const line = text.trim().split('\n', 1)[0]?.replace(/\s+/g, ' ') ?? ''
  return line.length > MAX_TITLE ? `${line.slice(0, MAX_TITLE - 1).trimEnd()}…` : line
}

/** Put a chat into the list, or to its top. An empty title keeps the one it has. */
export function touchChat(id: string, title: string): void {
  write((all) => {
    const known = all.find((entry) => entry.id === id)
    const entry = { id, title: known?.title || title || 'New chat', updatedAt: Date.now() }
    return [entry, ...all.filter((other) => other.id !== id)]
  })
}

/** Put a chat that was opened by its address into the list; one that is there stays as it is. */
export function listChat(id: string, title: string, updatedAt: number): void {
  if (entries.some((entry) => entry.id === id)) return
  write((all) => (all.some((entry) => entry.id === id) ? all : [...all, { id, title: title || 'New chat', updatedAt }]))
}

/** Take a chat off the list; the server keeps it, and its address goes on working. */
export function removeChat(id: string): void {
  write((all) => all.filter((entry) => entry.id !== id))
}

/** Put back what `removeChat` took. */
export function restoreChat(entry: ChatEntry): void {
  write((all) => [entry, ...all.filter((other) => other.id !== entry.id)])
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** The chats of this browser, the newest first. */
export const useChats = (): readonly ChatEntry[] => useSyncExternalStore(subscribe, () => entries)
