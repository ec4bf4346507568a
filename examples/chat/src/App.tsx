import { useEffect, useState } from 'react'
import { ChatPage } from './chat/ChatPage'
import { Sidebar } from './Sidebar'
import { useChats } from './state/chats'
import { useChatId } from './state/router'

export function App() {
  const id = useChatId()
  const entry = useChats().find((entry) => entry.id === id)
  const title = entry?.title ?? 'New chat'
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
      <Sidebar current={id} open={menu} onNavigate={() => setMenu(false)} />
      {menu && <div className="backdrop" onClick={() => setMenu(false)} />}
      <div className="stage" inert={menu}>
        <ChatPage key={id} id={id} title={title} known={entry !== undefined} onMenu={() => setMenu(true)} />
      </div>
    </div>
  )
}
