import type { UIMessage } from '@tanstack/ai-react'
import { useCallback, useEffect, useState } from 'react'
import { runEndOf, type RunEnd } from '../message/runEnd'
import { titleOf, touchChat } from '../state/chats'
import { getDraft, isEmpty, sent, setDraft } from '../state/drafts'
import { dequeue, enqueue, useQueue, type Queued } from '../state/queue'
import type { Session } from './useSession'

export interface Outgoing {
  queue: readonly Queued[]
  held: boolean
  /** Send the draft, or queue it while an answer is being written. */
  submit: () => void
  remove: (id: string) => void
  sendNow: () => void
}

/**
 * The messages on their way out: the draft is sent at once, or waits for its turn in the queue.
 *
 * The queue goes on when an answer has finished. After any other end, and after a refusal (`refused`), it waits until
 * the user sends it on: the next message may make no sense without the answer that is missing.
 */
export function useOutgoing(id: string, session: Session, refused: boolean, onSubmit: () => void): Outgoing {
  const { messages, busy, synced, send } = session
  const queue = useQueue(id)
  const last = messages.at(-1)
  const [released, setReleased] = useState(false)
  const broken = last !== undefined && isIncomplete(last, session.runEnd)
  const held = !busy && !released && (refused || broken)
  const ready = synced && !busy

  // A release counts until the next answer.
  useEffect(() => {
    if (busy) setReleased(false)
  }, [busy])

  const next = queue[0]
  useEffect(() => {
    if (!ready || held || next === undefined || !send(next)) return
    dequeue(id, next.id)
  }, [id, ready, held, next, send])

  const sendNow = useCallback(() => {
    setReleased(true)
    onSubmit()
  }, [onSubmit])

  const direct = ready && next === undefined
  const submit = useCallback(() => {
    const draft = getDraft(id)
    if (isEmpty(draft)) return
    touchChat(id, titleOf(draft.text || 'Image'))
    if (!direct || !send(draft)) enqueue(id, draft)
    setDraft(id, sent)
    if (busy) onSubmit()
    else sendNow()
  }, [id, busy, direct, send, sendNow, onSubmit])

  const remove = useCallback((queued: string) => dequeue(id, queued), [id])
  return { queue, held: held && queue.length > 0, submit, remove, sendNow }
}

/** Return whether the last message is an answer that ended early, or one that has no answer. */
function isIncomplete(last: UIMessage, runEnd: RunEnd | null): boolean {
  const end = runEndOf(last) ?? runEnd
  return end === null ? last.role === 'user' : end.outcome !== 'finished'
}
