import type { ReactNode } from 'react'
import { IconButton } from '../icons'

/** The chat's title, and on narrow screens the button that opens the list of chats. */
export function Header({ title, onMenu, children }: { title: string; onMenu: () => void; children: ReactNode }) {
  return (
    <header className="header">
      <IconButton icon="menu" label="Chats" size={20} className="quiet menu" onClick={onMenu} />
      <h1 title={title} dir="auto">
        {title}
      </h1>
      {children}
    </header>
  )
}
