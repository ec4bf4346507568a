import { useRef, type ClipboardEvent, type FormEvent, type KeyboardEvent } from 'react'
import { Icon, IconButton } from '../icons'
import { isEmpty, type ChangeDraft, type Draft } from '../state/drafts'
import { AutoTextarea } from './AutoTextarea'
import { ImageStrip } from './ImageStrip'
import { submits } from './keys'

interface Props {
  draft: Draft
  change: ChangeDraft
  /** An answer is being written: submitted messages are queued. */
  busy: boolean
  stopping: boolean
  attach: (files: Iterable<File>) => void
  onSubmit: () => void
  onStop: () => void
}

/** Where messages are written. Images are attached, pasted or dropped. */
export function Composer({ draft, change, busy, stopping, attach, onSubmit, onStop }: Props) {
  const picker = useRef<HTMLInputElement>(null)
  const area = useRef<HTMLTextAreaElement>(null)
  const empty = isEmpty(draft)
  const label = busy ? 'Queue message' : 'Send'

  function submit(event?: FormEvent) {
    event?.preventDefault()
    if (!empty) onSubmit()
    area.current?.focus()
  }

  function onKeyDown(event: KeyboardEvent) {
    if (!submits(event.nativeEvent)) return
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
        dir="auto"
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
          {stopping ? 'Stopping…' : busy ? 'Enter to queue, Esc to stop' : 'Enter to send, Shift+Enter for a new line'}
        </span>
        {busy && (
          <button type="button" className="round" title="Stop" disabled={stopping} onClick={onStop}>
            <span className="stop" aria-hidden="true" />
            <span className="visually-hidden">Stop</span>
          </button>
        )}
        {!(busy && empty) && (
          <button type="submit" className="round primary" title={label} disabled={empty}>
            <Icon name="send" size={20} />
            <span className="visually-hidden">{label}</span>
          </button>
        )}
      </div>
    </form>
  )
}
