import { useCallback, useSyncExternalStore } from 'react'
import type { Image } from './images'
import { Listeners } from './listeners'
import { load, save } from './storage'

/** A message that is not sent yet. */
export interface Draft {
  text: string
  images: readonly Image[]
  /** The id that a failed send used. Sent again under it, the message is stored once even if it had arrived. */
  id?: string
  /** The message that is being edited, and the text of an edit that could not be sent. */
  edit?: { messageId: string; text?: string }
}

export type ChangeDraft = (change: (draft: Draft) => Draft) => void

export const EMPTY: Draft = { text: '', images: [] }

export const isEmpty = (draft: Draft): boolean => draft.text.trim() === '' && draft.images.length === 0

/** Return the draft once its message is sent; an open edit stays open. */
export const sent = ({ edit }: Draft): Draft => (edit === undefined ? EMPTY : { ...EMPTY, edit })

const drafts = new Map<string, Draft>()
const listeners = new Listeners()
const session = () => sessionStorage
const keyOf = (chat: string) => `draft:${chat}`
const outboxOf = (chat: string) => `outbox:${chat}`

export function getDraft(chat: string): Draft {
  let draft = drafts.get(chat)
  if (draft === undefined) {
    const text = load(session, keyOf(chat), (value) => (typeof value === 'string' ? value : '')) ?? ''
    // Nobody knows whether the message arrived that the last page was sending. Its id will tell, once the chat is here.
    const sending = load(session, outboxOf(chat), readSending)
    if (sending !== null) draft = { ...sending, text: joined(sending.text, text), images: [] }
    else draft = text ? { text, images: [] } : EMPTY
    drafts.set(chat, draft)
  }
  return draft
}

/** Change a chat's draft. Its text outlives a reload; images, which are too large for the browser's storage, do not. */
export function setDraft(chat: string, change: (draft: Draft) => Draft): void {
  const draft = change(getDraft(chat))
  drafts.set(chat, draft)
  save(session, keyOf(chat), draft.text || null)
  listeners.notify()
}

/** Keep the text of a message while it is being sent, so that a page that closes meanwhile does not lose it. */
export function setOutbox(chat: string, sending: Draft | null): void {
  save(session, outboxOf(chat), sending && { id: sending.id, text: sending.text })
}

/** Join two texts as paragraphs; either may be empty. */
export const joined = (first: string, second: string): string => [first, second].filter(Boolean).join('\n\n')

function readSending(value: unknown): { id: string; text: string } {
  const { id, text } = value as Partial<Draft>
  if (typeof id !== 'string' || typeof text !== 'string') throw new TypeError('no message')
  return { id, text }
}

/** Return a chat's draft. */
export const useDraft = (chat: string): Draft => useSyncExternalStore(listeners.subscribe, () => getDraft(chat))

/** Return which message of a chat is being edited; typing in the composer does not render its caller again. */
export const useEdit = (chat: string): Draft['edit'] =>
  useSyncExternalStore(listeners.subscribe, () => getDraft(chat).edit)

/** Return the id that a chat's draft was sent under before. */
export const useDraftId = (chat: string): string | undefined =>
  useSyncExternalStore(listeners.subscribe, () => getDraft(chat).id)

/** Return the function that changes a chat's draft. */
export const useChangeDraft = (chat: string): ChangeDraft => useCallback((change) => setDraft(chat, change), [chat])
