import { useSyncExternalStore } from 'react'
import type { Draft } from './drafts'
import { randomId } from './ids'
import { Listeners } from './listeners'
import { load, save } from './storage'

/** A message that waits until it can be sent. It has its id already, so that it is stored once however often it is sent. */
export type Queued = Draft & { id: string }

const queues = new Map<string, readonly Queued[]>()
const listeners = new Listeners()
const session = () => sessionStorage
const keyOf = (chat: string) => `queue:${chat}`

function get(chat: string): readonly Queued[] {
  let queue = queues.get(chat)
  if (queue === undefined) {
    queue = load(session, keyOf(chat), (value) => (Array.isArray(value) ? value.flatMap(stored) : [])) ?? []
    queues.set(chat, queue)
  }
  return queue
}

function stored(value: unknown): Queued[] {
  const { id, text } = (value ?? {}) as Partial<Queued>
  return typeof id === 'string' && typeof text === 'string' ? [{ id, text, images: [] }] : []
}

function set(chat: string, queue: readonly Queued[]): void {
  queues.set(chat, queue)
  // Images are too large for the browser's storage: only the text outlives a reload.
  save(session, keyOf(chat), queue.length > 0 ? queue.map(({ id, text }) => ({ id, text })) : null)
  listeners.notify()
}

/** Add a message to the end of a chat's queue. */
export function enqueue(chat: string, { text, images, id }: Draft): void {
  set(chat, [...get(chat), { id: id ?? `user-${randomId()}`, text, images }])
}

/** Take a message out of a chat's queue. */
export function dequeue(chat: string, id: string): void {
  set(chat, get(chat).filter((queued) => queued.id !== id))
}

/** The messages of a chat that wait, the next one first. */
export const useQueue = (chat: string): readonly Queued[] => useSyncExternalStore(listeners.subscribe, () => get(chat))
