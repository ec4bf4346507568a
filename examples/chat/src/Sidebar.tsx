import { useEffect, useRef, useState, type MouseEvent } from 'react'
import { Icon } from './icons'
import { removeChat, restoreChat, useChats, type ChatEntry } from './state/chats'
import { chatPath, openChat } from './state/router'
import { setTheme, THEMES, useTheme } from './state/theme'

const UNDO_SECONDS = 8

interface Props {
  current: string
  /** On narrow screens, the list is shown over the chat. */
  open: boolean
  onNavigate: () => void
}

/** The list of chats, and the settings. */
export function Sidebar({ current, open, onNavigate }: Props) {
  const first = useRef<HTMLButtonElement>(null)
  const chats = useChats()
  const [removed, setRemoved] = useState<ChatEntry | null>(null)

  useEffect(() => {
    if (removed === null) return
    const timer = setTimeout(() => setRemoved(null), UNDO_SECONDS * 1000)
    return () => clearTimeout(timer)
  }, [removed])

  // Opening the list moves the focus into it; closing it moves the focus back.
  useEffect(() => {
    if (!open) return
    const before = document.activeElement
    first.current?.focus()
    return () => {
      // The element is inert until this is over.
      if (before instanceof HTMLElement) setTimeout(() => before.focus())
    }
  }, [open])

  function go(event: MouseEvent, id: string) {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || event.button !== 0) return
    event.preventDefault()
    if (id !== current) openChat(id)
    onNavigate()
  }

  function remove(entry: ChatEntry) {
    removeChat(entry.id)
    setRemoved(entry)
    if (entry.id === current) openChat()
  }

  return (
    <nav className="sidebar" aria-label="Chats">
      <button
        ref={first}
        type="button"
        className="new"
        onClick={() => {
          openChat()
          onNavigate()
        }}
      >
        <Icon name="plus" />
        New chat
      </button>
      <ul className="chats">
        {chats.map((entry) => (
          <li key={entry.id}>
            <a
              href={chatPath(entry.id)}
              aria-current={entry.id === current ? 'page' : undefined}
              title={entry.title}
              onClick={(event) => go(event, entry.id)}
            >
              <span dir="auto">{entry.title}</span>
            </a>
            <button type="button" className="quiet" title="Remove from list" onClick={() => remove(entry)}>
              <Icon name="close" size={14} />
              <span className="visually-hidden">Remove “{entry.title}” from list</span>
            </button>
          </li>
        ))}
      </ul>
      <div role="status" className="undo">
        {removed !== null && (
          <>
            <span dir="auto">“{removed.title}” was removed from the list.</span>
            <button
              type="button"
              onClick={() => {
                restoreChat(removed)
                setRemoved(null)
                openChat(removed.id)
              }}
            >
              Undo
            </button>
          </>
        )}
      </div>
      <ThemeSwitch />
    </nav>
  )
}

function ThemeSwitch() {
  const theme = useTheme()
  return (
    <fieldset className="themes">
      <legend className="visually-hidden">Theme</legend>
      {THEMES.map((name) => (
        <label key={name}>
          <input type="radio" name="theme" value={name} checked={theme === name} onChange={() => setTheme(name)} />
          <span>{name === 'system' ? 'Auto' : name === 'light' ? 'Light' : 'Dark'}</span>
        </label>
      ))}
    </fieldset>
  )
}
