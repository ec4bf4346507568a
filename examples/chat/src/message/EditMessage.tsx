import { useId, useState, type FormEvent, type KeyboardEvent } from 'react'
import type { MessageActions } from '../chat/actions'
import { AutoTextarea } from '../composer/AutoTextarea'

interface Props {
  messageId: string
  text: string
  enabled: boolean
  actions: MessageActions
}

/** A message in the making for the second time. What followed it is replaced when it is sent. */
export function EditMessage({ messageId, text, enabled, actions }: Props) {
  const [value, setValue] = useState(() => actions.editedText(messageId) ?? text)
  const label = useId()

  function submit(event?: FormEvent) {
    event?.preventDefault()
    if (enabled && value.trim()) actions.edit(messageId, value)
  }

  function onKeyDown(event: KeyboardEvent) {
    if (event.key === 'Escape') {
      event.stopPropagation()
      actions.cancelEdit()
    } else if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault()
      submit()
    }
  }

  return (
    <form className="edit" onSubmit={submit}>
      <label className="visually-hidden" htmlFor={label}>
        Edit message
      </label>
      <AutoTextarea
        id={label}
        value={value}
        autoFocus
        onKeyDown={onKeyDown}
        onChange={(event) => setValue(event.target.value)}
      />
      <div className="edit-actions">
        <span className="faint">What follows will be replaced.</span>
        <button type="button" onClick={actions.cancelEdit}>
          Cancel
        </button>
        <button type="submit" className="primary" disabled={!enabled || !value.trim()}>
          Send
        </button>
      </div>
    </form>
  )
}
