import type { ReactNode } from 'react'
import { Icon } from '../icons'

export function Header({ title, onMenu, children }: { title: string; onMenu: () => void; children: ReactNode }) {
  return (
    <header className="header">
      <button type="button" className="quiet menu" onClick={onMenu} title="Chats">
        <Icon name="menu" size={20} />
        <span className="visually-hidden">Chats</span>
      </button>
      <h1 title={title}>{title}</h1>
      {children}
    </header>
  )
}
