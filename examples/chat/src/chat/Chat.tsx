import type { UIMessage } from '@tanstack/ai-react'
import { useCallback, useEffect, useMemo, useRef } from 'react'
import { Composer } from '../composer/Composer'
import { useAttach, useDrop } from '../composer/useAttach'
import { Dots } from '../icons'
import { textOf } from '../message/parts'
import { listChat, titleOf, touchChat } from '../state/chats'
import { EMPTY, setOutbox, useDraft, type Draft } from '../state/drafts'
import type { MessageActions } from './actions'
import { ConnectionBadge } from './ConnectionBadge'
import { Header } from './Header'
import { Notice } from './Notice'
import { Transcript } from './Transcript'
import { useSession, type Refusal } from './useSession'
import { Welcome } from './Welcome'

export interface ChatProps {
  id: string
  title: string
  /** Whether the chat is in this browser's list. */
  known: boolean
  /** Shown until the server's messages arrive. */
  initialMessages: UIMessage[]
  notice: string | null
  setNotice: (text: string | null) => void
  onRefused: (refusal: Refusal) => void
  onReconnect: (messages: UIMessage[]) => void
  onMessages: (messages: UIMessage[]) => void
  onMenu: () => void
}

/** One chat on the screen. */
export function Chat(props: ChatProps) {
  const { id, title, known, initialMessages, notice, setNotice, onRefused, onReconnect, onMessages, onMenu } = props
  const [draft, change] = useDraft(id)
  const session = useSession(id, known, initialMessages, onRefused, setNotice)
  const { messages, busy, stopping, synced, send, edit, regenerate, stop } = session
  const attach = useAttach(change, setNotice)
  const dropping = useDrop(attach)
  // What the page remembers may be old, and nothing at all is no history: a message waits for the server's chat.
  const enabled = !busy && synced

  useEffect(() => onMessages(messages), [messages, onMessages])

  // The chat was opened by its address, or filled from another device.
  const first = messages.find((message) => message.role === 'user')
  const firstText = first && titleOf(textOf(first) || 'Image')
  const firstTime = first?.createdAt?.getTime() ?? Date.now()
  useEffect(() => {
    if (synced && firstText !== undefined) listChat(id, firstText, firstTime)
  }, [id, synced, firstText, firstTime])

  // A message whose sending seemed to fail, and which the server has after all, need not be sent again.
  const arrived = synced ? messages.find((message) => message.id === draft.id) : undefined
  const arrivedText = arrived && textOf(arrived)
  useEffect(() => {
    if (arrivedText === undefined) return
    setOutbox(id, null)
    change(({ id: _, ...now }) => (now.text.trim() === arrivedText ? sent(now) : now))
    setNotice(null)
  }, [id, arrivedText, change, setNotice])

  // The message being edited was replaced in another tab: its text must not vanish with it.
  const lostEdit = synced && draft.edit !== undefined && !messages.some((message) => message.id === draft.edit?.messageId)
  useEffect(() => {
    if (!lostEdit) return
    change(({ edit, ...rest }) => ({ ...rest, text: [edit?.text, rest.text].filter(Boolean).join('\n\n') }))
  }, [lostEdit, change])

  const onSend = useCallback(() => {
    setNotice(null)
    touchChat(id, titleOf(draft.text || 'Image'))
    send(draft)
    change(sent)
  }, [id, draft, send, change, setNotice])

  const edited = useRef(draft.edit)
  edited.current = draft.edit
  const actions = useMemo<MessageActions>(
    () => ({
      regenerate: (messageId) => {
        setNotice(null)
        regenerate(messageId)
      },
      startEdit: (messageId) => change((now) => ({ ...now, edit: { messageId } })),
      cancelEdit: () => change(({ edit: _, ...rest }) => rest),
      edit: (messageId, text) => {
        setNotice(null)
        touchChat(id, titleOf(text))
        edit(messageId, text)
        change(({ edit: _, ...rest }) => rest)
      },
      editedText: (messageId) => (edited.current?.messageId === messageId ? edited.current.text : undefined),
    }),
    [id, regenerate, edit, change, setNotice],
  )

  useEffect(() => {
    if (!busy) return
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.key === 'Escape' && !event.defaultPrevented && !event.isComposing) void stop()
    }
    window.addEventListener('keydown', onKeyDown)
    return () => window.removeEventListener('keydown', onKeyDown)
  }, [busy, stop])

  const last = messages.at(-1)
  const unanswered = !busy && synced && last?.role === 'user'

  return (
    <main className="chat" data-status={session.status} data-busy={busy} data-connection={session.connection}>
      <Header title={title} onMenu={onMenu}>
        <ConnectionBadge state={session.connection} />
      </Header>
      <Transcript messages={messages} busy={busy} enabled={enabled} editing={draft.edit?.messageId} actions={actions}>
        {messages.length === 0 && synced && (
          <Welcome onPick={(text) => change((now) => ({ ...now, text }))} />
        )}
        {busy && last?.role === 'user' && (
          <p className="waiting" aria-hidden="true">
            <Dots />
          </p>
        )}
        {session.runError !== null && (
          <Notice kind="error" text={session.runError} action="Try again" onAction={session.retry} enabled={enabled} />
        )}
        {unanswered && session.runError === null && (
          <Notice
            kind="info"
            text="This message has no answer."
            action="Ask again"
            onAction={session.retry}
            enabled={enabled}
          />
        )}
      </Transcript>
      <footer className="column">
        {session.connection === 'failed' && (
          <Notice
            kind="error"
            text="The chat cannot be followed any more."
            action="Connect again"
            onAction={() => onReconnect(messages)}
            enabled
          />
        )}
        {notice !== null && <Notice kind="error" text={notice} action="Dismiss" onAction={() => setNotice(null)} enabled />}
        <Composer
          draft={draft}
          change={change}
          busy={busy}
          stopping={stopping}
          enabled={enabled}
          attach={attach}
          onSend={onSend}
          onStop={() => void stop()}
        />
      </footer>
      <Announcer busy={busy} failed={session.runError !== null} />
      {dropping && (
        <div className="drop" aria-hidden="true">
          Drop images to attach them
        </div>
      )}
    </main>
  )
}

/** The draft once its message is sent; an edit that is open stays open. */
const sent = ({ edit }: Draft): Draft => (edit === undefined ? EMPTY : { ...EMPTY, edit })

/** Tells those who listen instead of look when an answer begins and ends. */
function Announcer({ busy, failed }: { busy: boolean; failed: boolean }) {
  const was = useRef(false)
  if (busy) was.current = true
  const text = busy ? 'The assistant is answering.' : was.current && !failed ? 'The answer is complete.' : ''
  return (
    <p className="visually-hidden" role="status">
      {text}
    </p>
  )
}
