import type { UIMessage } from '@tanstack/ai-react'
import { useCallback, useState } from 'react'
import { setDraft, setOutbox } from '../state/drafts'
import { Chat, type ChatProps } from './Chat'
import { refusalText } from './refusal'
import type { Refusal } from './useSession'

/** The messages that this page has shown of each chat, so that coming back to one shows them at once. */
const shown = new Map<string, UIMessage[]>()
const MAX_SHOWN = 20

function remember(id: string, messages: UIMessage[]): void {
  shown.delete(id)
  shown.set(id, messages)
  if (shown.size > MAX_SHOWN) shown.delete(shown.keys().next().value!)
}

/** One chat, and what outlives a session that was opened anew: the draft, and what the user has to be told. */
export function ChatPage({ id, title, known, onMenu }: Pick<ChatProps, 'id' | 'title' | 'known' | 'onMenu'>) {
  const [session, setSession] = useState({ number: 0, messages: shown.get(id) ?? [] })
  const [notice, setNotice] = useState<string | null>(null)

  const onMessages = useCallback((messages: UIMessage[]) => remember(id, messages), [id])
  const reopen = useCallback((messages: UIMessage[]) => setSession(({ number }) => ({ number: number + 1, messages })), [])
  const onRefused = useCallback(
    ({ attempt, reason, messages }: Refusal) => {
      giveBack(id, attempt)
      if (reason !== null) setNotice(refusalText(reason, KEPT[attempt.kind]))
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
      onRefused={onRefused}
      onReconnect={reopen}
      onMessages={onMessages}
      onMenu={onMenu}
    />
  )
}

const KEPT: Record<Refusal['attempt']['kind'], string> = {
  send: 'Your message is back in the input.',
  edit: 'Your edit is kept.',
  regenerate: 'The chat is as it was.',
}

/** Put what was not sent back where it came from, before anything typed since. */
function giveBack(id: string, attempt: Refusal['attempt']): void {
  if (attempt.kind === 'edit') {
    setDraft(id, (now) => ({ ...now, edit: { messageId: attempt.messageId, text: attempt.text } }))
  } else if (attempt.kind === 'send') {
    const { draft } = attempt
    setOutbox(id, null)
    setDraft(id, (now) => {
      const untouched = now.text === '' && now.images.length === 0
      return {
        ...now,
        text: [draft.text, now.text].filter(Boolean).join('\n\n'),
        images: [...draft.images, ...now.images],
        // With more in it than what may have arrived, it is another message.
        ...(untouched && draft.id !== undefined ? { id: draft.id } : {}),
      }
    })
  }
}
