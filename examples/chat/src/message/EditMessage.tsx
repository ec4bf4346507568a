import { useId, useState, type FormEvent, type KeyboardEvent } from 'react'
import type { MessageActions } from '../chat/actions'
import { AutoTextarea } from '../composer/AutoTextarea'
import { composes, submits } from '../composer/keys'

interface Props {
  messageId: string
  text: string
  enabled: boolean
  actions: MessageActions
}

/** Inline editor for a message that was already sent. Sending it replaces what followed it. */
export function EditMessage({ messageId, text, enabled, actions }: Props) {
  const [value, setValue] = useState(() => actions.editedText(messageId) ?? text)
  const label = useId()

  function submit(event?: FormEvent) {
    event?.preventDefault()
    if (enabled && value.trim()) actions.edit(messageId, value)
  }

  function onKeyDown(event: KeyboardEvent) {
    if (event.key === 'Escape' && !composes(event.nativeEvent)) {
      event.stopPropagation()
      actions.cancelEdit()
    } else if (submits(event.nativeEvent)) {
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
        dir="auto"
        value={value}
        autoFocus
        onKeyDown={onKeyDown}
        onChange={(event) => setValue(event.target.value)}
      />
      <div className="edit-actions">
        <span className="faint">The messages below will be replaced.</span>
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
