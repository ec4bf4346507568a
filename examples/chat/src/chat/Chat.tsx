import type { UIMessage } from '@tanstack/ai-react'
import { useCallback, useEffect } from 'react'
import { ComposerDock } from '../composer/ComposerDock'
import { composes } from '../composer/keys'
import { runEndOf } from '../message/runEnd'
import { useChangeDraft, useEdit } from '../state/drafts'
import { beganHere } from '../state/router'
import { ActivityLine } from './ActivityLine'
import { Announcer } from './Announcer'
import { ConnectionBadge } from './ConnectionBadge'
import { Header } from './Header'
import { Notice } from './Notice'
import { QueueList } from './QueueList'
import { failureText, type Refusal } from './refusal'
import { Transcript } from './Transcript'
import { useMessageActions } from './useMessageActions'
import { useOutgoing } from './useOutgoing'
import { useReconcile } from './useReconcile'
import { useSession } from './useSession'
import { UnknownChat, Welcome } from './Welcome'

export interface ChatProps {
  id: string
  title: string
  /** The chat is in this browser's list. */
  known: boolean
  /** Shown until the server's messages arrive. */
  initialMessages: UIMessage[]
  notice: string | null
  setNotice: (text: string | null) => void
  /** The server refused the last message, and the user has not sent another one. */
  refused: boolean
  onRefused: (refusal: Refusal) => void
  /** The user sends, edits or regenerates something. */
  onSubmit: () => void
  onReopen: (messages: UIMessage[]) => void
  onMessages: (messages: UIMessage[]) => void
  onMenu: () => void
}

/** One chat on the screen. */
export function Chat(props: ChatProps) {
  const { id, title, known, initialMessages, notice, setNotice, refused, onRefused, onSubmit, onReopen, onMessages } = props
  const session = useSession(id, known, initialMessages, onRefused, setNotice)
  const { messages, busy, synced, connection, runEnd, activity, stop } = session
  const change = useChangeDraft(id)
  const edit = useEdit(id)
  const outgoing = useOutgoing(id, session, refused, onSubmit)
  const actions = useMessageActions(id, session, onSubmit)
  useReconcile(id, messages, synced, onSubmit)
  useEscape(busy, stop)
  useEffect(() => onMessages(messages), [messages, onMessages])

  // What the page remembers may be old: nothing is sent before the server's messages are here.
  const enabled = !busy && synced
  const last = messages.at(-1)
  const lastEnd = last === undefined ? runEnd : (runEndOf(last) ?? runEnd)
  const unanswered = enabled && last?.role === 'user' && lastEnd === null
  const empty = messages.length === 0 && synced && !busy
  const reopen = useCallback(() => onReopen(messages), [onReopen, messages])

  return (
    <main className="chat" data-status={session.status} data-busy={busy} data-connection={connection.state}>
      <Header title={title} onMenu={props.onMenu}>
        <ConnectionBadge state={connection.state} />
      </Header>
      <Transcript
        messages={messages}
        busy={busy}
        enabled={enabled}
        editing={edit?.messageId}
        runEnd={runEnd}
        actions={actions}
      >
        {empty && (beganHere() ? <Welcome onPick={(text) => change((now) => ({ ...now, text }))} /> : <UnknownChat />)}
        {activity !== null && <ActivityLine activity={activity} />}
        {unanswered && (
          <Notice kind="info" text="This message has no answer." action="Try again" onAction={actions.retry} />
        )}
      </Transcript>
      <footer className="column">
        {connection.state === 'reconnecting' && (
          <Notice kind="progress" text="Reconnecting…" action="Try now" onAction={session.reconnect} />
        )}
        {connection.state === 'failed' && (
          <Notice kind="error" text={failureText(connection.reason)} action="Try again" onAction={reopen} />
        )}
        {notice !== null && <Notice kind="error" text={notice} action="Dismiss" onAction={() => setNotice(null)} />}
        <QueueList
          queue={outgoing.queue}
          held={outgoing.held}
          onRemove={outgoing.remove}
          onSendNow={outgoing.sendNow}
        />
        <ComposerDock
          id={id}
          busy={busy}
          stopping={session.stopping}
          onProblem={setNotice}
          onSubmit={outgoing.submit}
          onStop={stop}
        />
      </footer>
      <Announcer busy={busy} runEnd={lastEnd} />
    </main>
  )
}

/** Let Escape stop the answer. */
function useEscape(busy: boolean, stop: () => Promise<void>): void {
  useEffect(() => {
    if (!busy) return
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.key === 'Escape' && !event.defaultPrevented && !composes(event)) void stop()
    }
    window.addEventListener('keydown', onKeyDown)
    return () => window.removeEventListener('keydown', onKeyDown)
  }, [busy, stop])
}
