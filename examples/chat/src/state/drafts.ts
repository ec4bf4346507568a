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

function get(chat: string): Draft {
  let draft = drafts.get(chat)
  if (draft === undefined) {
    const text = load(session, keyOf(chat), (value) => (typeof value === 'string' ? value : ''))
    draft = text ? { text, images: [] } : EMPTY
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
