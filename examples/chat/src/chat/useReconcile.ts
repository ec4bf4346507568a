import type { UIMessage } from '@tanstack/ai-react'
import { useEffect } from 'react'
import { textOf } from '../message/parts'
import { listChat, titleOf } from '../state/chats'
import { joined, sent, setOutbox, useChangeDraft, useDraftId, useEdit } from '../state/drafts'

/** Fit what this browser remembers of a chat to the messages that the server has. */
export function useReconcile(id: string, messages: readonly UIMessage[], synced: boolean, onArrived: () => void): void {
  const change = useChangeDraft(id)
  const draftId = useDraftId(id)
  const edit = useEdit(id)

  // The chat was opened by its address, or written on another device.
  const first = messages.find((message) => message.role === 'user')
  const firstText = first && titleOf(textOf(first) || 'Image')
  const firstTime = first?.createdAt?.getTime()
  useEffect(() => {
    if (synced && firstText !== undefined) listChat(id, firstText, firstTime ?? Date.now())
  }, [id, synced, firstText, firstTime])

  // Sending the draft seemed to fail, but the server has the message.
  const arrived = synced && draftId !== undefined ? messages.find((message) => message.id === draftId) : undefined
  const arrivedText = arrived && textOf(arrived)
  useEffect(() => {
    if (arrivedText === undefined) return
    setOutbox(id, null)
    change(({ id: _, ...now }) => (now.text.trim() === arrivedText ? sent(now) : now))
    onArrived()
  }, [id, arrivedText, change, onArrived])

  // The message being edited was replaced in another tab. The text of the edit must not vanish with it.
  const lostEdit = synced && edit !== undefined && !messages.some((message) => message.id === edit.messageId)
  useEffect(() => {
    if (lostEdit) change(({ edit, ...rest }) => ({ ...rest, text: joined(edit?.text ?? '', rest.text) }))
  }, [lostEdit, change])
}
