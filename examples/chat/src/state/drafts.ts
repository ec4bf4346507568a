import { useCallback, useSyncExternalStore } from 'react'
import type { Image } from './images'
import { load, save } from './storage'

/** What waits to be sent in one chat. */
export interface Draft {
  text: string
  images: readonly Image[]
  /** The id that a failed send used: sent again under it, the message is there once even if it had arrived. */
  id?: string
  /** The message that is being edited, and the text of an edit that could not be sent. */
  edit?: { messageId: string; text?: string }
}

export const EMPTY: Draft = { text: '', images: [] }

const drafts = new Map<string, Draft>()
const listeners = new Set<() => void>()
const session = () => sessionStorage
const keyOf = (chat: string) => `draft:${chat}`
const outboxOf = (chat: string) => `outbox:${chat}`

function get(chat: string): Draft {
  let draft = drafts.get(chat)
  if (draft === undefined) {
    const text = load(session, keyOf(chat), (value) => (typeof value === 'string' ? value : '')) ?? ''
    // What the last page was sending when it was left may have arrived or not: its id tells once the chat is there.
    const sending = load(session, outboxOf(chat), readSending)
    if (sending !== null) draft = { ...sending, text: [sending.text, text].filter(Boolean).join('\n\n'), images: [] }
    else draft = text ? { text, images: [] } : EMPTY
    drafts.set(chat, draft)
  }
  return draft
}

/** Keep a draft; its text outlives a reload, images (too large for the browser's storage) do not. */
export function setDraft(chat: string, change: (draft: Draft) => Draft): void {
  const draft = change(get(chat))
  drafts.set(chat, draft)
  save(session, keyOf(chat), draft.text || null)
  for (const listener of listeners) listener()
}

/** Keep the text of a message while it is on its way, so that a page that is left meanwhile does not take it along. */
export function setOutbox(chat: string, sending: Draft | null): void {
  save(session, outboxOf(chat), sending && { id: sending.id, text: sending.text })
}

function readSending(value: unknown): { id: string; text: string } {
  const { id, text } = value as Partial<Draft>
  if (typeof id !== 'string' || typeof text !== 'string') throw new TypeError('no message')
  return { id, text }
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** The draft of a chat, and how to change it. */
export function useDraft(chat: string): [Draft, (change: (draft: Draft) => Draft) => void] {
  const draft = useSyncExternalStore(subscribe, () => get(chat))
  const change = useCallback((change: (draft: Draft) => Draft) => setDraft(chat, change), [chat])
  return [draft, change]
}
