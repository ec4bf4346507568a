import { openChat } from '../state/router'

const SUGGESTIONS = ['Explain this with a table and some code', 'Tell me something long', 'Fail, so that I can try again']

/** What a new chat shows. */
export function Welcome({ onPick }: { onPick: (text: string) => void }) {
  return (
    <div className="welcome">
      <h2>What would you like to know?</h2>
      <p>Reload in the middle of an answer, open a second tab, lose the network: the chat goes on.</p>
      <ul>
        {SUGGESTIONS.map((text) => (
          <li key={text}>
            <button type="button" onClick={() => onPick(text)}>
              {text}
            </button>
          </li>
        ))}
      </ul>
    </div>
  )
}

/** What an address shows that the server has no messages for. */
export function UnknownChat() {
  return (
    <div className="welcome">
      <h2>There are no messages here.</h2>
      <p>The chat may have been deleted, or the address may be wrong. You can still write the first message.</p>
      <ul>
        <li>
          <button type="button" onClick={() => openChat()}>
            Start a new chat
          </button>
        </li>
      </ul>
    </div>
  )
}
