import { useEffect, useRef, useState, type ClipboardEvent, type FormEvent, type KeyboardEvent } from 'react'
import { Icon, IconButton } from '../icons'
import type { Draft } from '../state/drafts'
import { AutoTextarea } from './AutoTextarea'
import { ImageStrip } from './ImageStrip'

interface Props {
  draft: Draft
  change: (change: (draft: Draft) => Draft) => void
  /** An answer is being written. */
  busy: boolean
  stopping: boolean
  /** Whether a message can be sent now; false until the chat is there. */
  enabled: boolean
  attach: (files: Iterable<File>) => void
  onSend: () => void
  onStop: () => void
}

/** Where messages are written: Enter sends, Shift+Enter begins a line, images are attached, pasted or dropped. */
export function Composer({ draft, change, busy, stopping, enabled, attach, onSend, onStop }: Props) {
  const picker = useRef<HTMLInputElement>(null)
  const area = useRef<HTMLTextAreaElement>(null)
  const something = draft.text.trim() !== '' || draft.images.length > 0
  // What is to be sent before the chat is there goes out as soon as it is.
  const [waiting, setWaiting] = useState<Draft | null>(null)
  const due = waiting === draft && enabled && !busy

  useEffect(() => {
    if (!due) return
    setWaiting(null)
    onSend()
  }, [due, onSend])

  function submit(event?: FormEvent) {
    event?.preventDefault()
    if (busy || !something) return
    if (enabled) onSend()
    else setWaiting(draft)
    area.current?.focus()
  }

  function onKeyDown(event: KeyboardEvent) {
    // Enter also ends the input of a composed character (Chinese, Japanese …), which is no wish to send.
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return
    event.preventDefault()
    submit()
  }

  function onPaste(event: ClipboardEvent) {
    const files = [...event.clipboardData.files].filter((file) => file.type.startsWith('image/'))
    if (files.length === 0) return
    event.preventDefault()
    attach(files)
  }

  return (
    <form className="composer" onSubmit={submit} aria-label="Write a message">
      <ImageStrip
        images={draft.images}
        onRemove={(key) => change((now) => ({ ...now, images: now.images.filter((image) => image.key !== key) }))}
      />
      <label className="visually-hidden" htmlFor="message">
        Message
      </label>
      <AutoTextarea
        id="message"
        ref={area}
        autoFocus
        placeholder="Write a message"
        aria-describedby="composer-help"
        value={draft.text}
        onKeyDown={onKeyDown}
        onPaste={onPaste}
        onChange={(event) => change((now) => ({ ...now, text: event.target.value }))}
      />
      <div className="composer-bar">
        <IconButton icon="image" label="Attach images" size={20} onClick={() => picker.current?.click()} />
        <input
          ref={picker}
          type="file"
          accept="image/*"
          multiple
          hidden
          aria-label="Images to attach"
          onChange={(event) => {
            attach([...(event.target.files ?? [])])
            event.target.value = ''
          }}
        />
        <span id="composer-help" className="faint composer-help">
          {busy
            ? stopping
              ? 'Stopping…'
              : 'Esc stops the answer'
            : waiting === draft
              ? 'Sending once the chat is there…'
              : 'Enter sends, Shift+Enter begins a line'}
        </span>
        {busy ? (
          <button type="button" className="round" title="Stop" disabled={stopping} onClick={onStop}>
            <span className="stop" aria-hidden="true" />
            <span className="visually-hidden">Stop</span>
          </button>
        ) : (
          <button type="submit" className="round primary" title="Send" disabled={!something || waiting === draft}>
            <Icon name="send" size={20} />
            <span className="visually-hidden">Send</span>
          </button>
        )}
      </div>
    </form>
  )
}
