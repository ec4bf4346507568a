import type { UIMessage } from '@tanstack/ai-react'
import type { Draft } from '../state/drafts'
import { clipped } from '../text'

/** What was tried when the server refused it. */
export type Attempt =
  | { kind: 'send'; draft: Draft }
  | { kind: 'edit'; messageId: string; text: string }
  | { kind: 'regenerate' }

export interface Refusal {
  attempt: Attempt
  /** Why it was refused; null if the user stopped it before. */
  reason: Error | null
  /** The messages as they were before. */
  messages: UIMessage[]
}

/** An error of the connection: the HTTP status, undefined without an answer, and the text that the server sent. */
type Reason = Error & { status?: number; detail?: string }

/** The most characters that the page shows of the server's text. */
const MAX_DETAIL = 500

const KEPT: Record<Attempt['kind'], string> = {
  send: 'Your message is back in the input.',
  edit: 'Your edit is kept.',
  regenerate: 'The chat has not changed.',
}

/** Return what to tell the user when the server refused something. */
export function refusalText(reason: Reason, kind: Attempt['kind']): string {
  const kept = KEPT[kind]
  switch (reason.status) {
    case 401:
      return `You are signed out. ${kept} Sign in, then send it again.`
    case 403:
      return `You are not allowed to write in this chat. ${kept}`
    case 409:
      return `An answer is being written in another tab or on another device. ${kept} Send it when that answer has ended.`
    case 413:
      return `The message is too large. ${kept}`
    case undefined:
      return `The server cannot be reached. ${kept}`
    default:
      return `The server did not take the message: ${detailOf(reason)} ${kept}`
  }
}

/** Return why the tab cannot follow the chat. */
export function failureText(reason: Reason | null): string {
  switch (reason?.status) {
    case 401:
      return 'You are signed out. Sign in to read this chat.'
    case 403:
      return 'You are not allowed to read this chat.'
    case 404:
      return 'The server does not know this chat.'
    case undefined:
      return 'The chat cannot be loaded.'
    default:
      return `The chat cannot be loaded: ${detailOf(reason!)}`
  }
}

/** Return what the server says, as a sentence. In development, that is the real error. */
function detailOf({ status, detail }: Reason): string {
  const text = clipped(detail?.trim() || `error ${status}`, MAX_DETAIL)
  return /[.!?…]$/.test(text) ? text : `${text}.`
}
