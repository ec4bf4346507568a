import { useEffect, useState } from 'react'
import { ChatPage } from './chat/ChatPage'
import { Sidebar } from './Sidebar'
import { useChats } from './state/chats'
import { useChatId } from './state/router'

export function App() {
  const id = useChatId()
  const title = useChats().find((entry) => entry.id === id)?.title ?? 'New chat'
  const [menu, setMenu] = useState(false)

  useEffect(() => {
    document.title = title
  }, [title])

  useEffect(() => {
    if (!menu) return
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.key !== 'Escape') return
      event.preventDefault()
      setMenu(false)
    }
    window.addEventListener('keydown', onKeyDown, { capture: true })
    return () => window.removeEventListener('keydown', onKeyDown, { capture: true })
  }, [menu])

  return (
    <div className="app" data-menu={menu}>
      <Sidebar current={id} onNavigate={() => setMenu(false)} />
      {menu && <div className="backdrop" onClick={() => setMenu(false)} />}
      <ChatPage key={id} id={id} title={title} onMenu={() => setMenu(true)} />
    </div>
  )
}
