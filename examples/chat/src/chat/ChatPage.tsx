import type { UIMessage } from '@tanstack/ai-react'
import { useCallback, useState } from 'react'
import { isEmpty, joined, setDraft, setOutbox } from '../state/drafts'
import { Chat, type ChatProps } from './Chat'
import { refusalText, type Attempt, type Refusal } from './refusal'

/** The messages that this page has shown of each chat, so that going back to a chat shows them at once. */
const shown = new Map<string, UIMessage[]>()
const MAX_SHOWN = 20

function remember(id: string, messages: UIMessage[]): void {
  shown.delete(id)
  shown.set(id, messages)
  if (shown.size > MAX_SHOWN) shown.delete(shown.keys().next().value!)
}

/** One chat, with what outlives a session that is opened again: the draft, and what the user has to know. */
export function ChatPage({ id, title, known, onMenu }: Pick<ChatProps, 'id' | 'title' | 'known' | 'onMenu'>) {
  const [session, setSession] = useState({ number: 0, messages: shown.get(id) ?? [] })
  const [notice, setNotice] = useState<string | null>(null)
  const [refused, setRefused] = useState(false)

  const onMessages = useCallback((messages: UIMessage[]) => remember(id, messages), [id])
  const reopen = useCallback((messages: UIMessage[]) => setSession(({ number }) => ({ number: number + 1, messages })), [])
  const onSubmit = useCallback(() => {
    setNotice(null)
    setRefused(false)
  }, [])
  const onRefused = useCallback(
    ({ attempt, reason, messages }: Refusal) => {
      giveBack(id, attempt)
      if (reason !== null) setNotice(refusalText(reason, attempt.kind))
      setRefused(true)
      reopen(messages)
    },
    [id, reopen],
  )

  return (
    <Chat
      key={session.number}
      id={id}
      title={title}
      known={known}
      initialMessages={session.messages}
      notice={notice}
      setNotice={setNotice}
      refused={refused}
      onRefused={onRefused}
      onSubmit={onSubmit}
      onReopen={reopen}
      onMessages={onMessages}
      onMenu={onMenu}
    />
  )
}

/** Put what was not sent back where it came from, before anything typed since. */
function giveBack(id: string, attempt: Attempt): void {
  if (attempt.kind === 'edit') {
    setDraft(id, (now) => ({ ...now, edit: { messageId: attempt.messageId, text: attempt.text } }))
  } else if (attempt.kind === 'send') {
    const { draft } = attempt
    setOutbox(id, null)
    setDraft(id, (now) => ({
      ...now,
      text: joined(draft.text, now.text),
      images: [...draft.images, ...now.images],
      // With more in it than what may have arrived, it is another message.
      ...(isEmpty(now) && draft.id !== undefined ? { id: draft.id } : {}),
    }))
  }
}
