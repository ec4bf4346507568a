const SUGGESTIONS = ['Explain this with a table and some code', 'Tell me something long', 'Fail, so that I can try again']

/** What an empty chat shows. */
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
