import { useMemo } from 'react'
import { titleOf, touchChat } from '../state/chats'
import { getDraft, useChangeDraft } from '../state/drafts'
import type { MessageActions } from './actions'
import type { Session } from './useSession'

/** Return what the messages of a chat offer. `onStart` is called when something is sent. */
export function useMessageActions(id: string, session: Session, onStart: () => void): MessageActions {
  const { regenerate, retry, edit } = session
  const change = useChangeDraft(id)
  return useMemo(
    () => ({
      regenerate: (messageId) => {
        onStart()
        regenerate(messageId)
      },
      retry: () => {
        onStart()
        retry()
      },
      startEdit: (messageId) => change((now) => ({ ...now, edit: { messageId } })),
      cancelEdit: () => change(({ edit: _, ...rest }) => rest),
      edit: (messageId, text) => {
        onStart()
        touchChat(id, titleOf(text))
        edit(messageId, text)
        change(({ edit: _, ...rest }) => rest)
      },
      editedText: (messageId) => {
        const { edit } = getDraft(id)
        return edit?.messageId === messageId ? edit.text : undefined
      },
    }),
    [id, regenerate, retry, edit, change, onStart],
  )
}
