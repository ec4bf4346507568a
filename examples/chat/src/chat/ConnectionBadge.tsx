import type { S2ConnectionState } from 'resumable-chat-client'

const TEXTS: Record<S2ConnectionState, string> = {
  connecting: 'Connecting…',
  live: 'Connected',
  reconnecting: 'Connection lost',
  paused: 'Paused',
  failed: 'Not connected',
}

/** How this tab is connected to the server. */
export function ConnectionBadge({ state }: { state: S2ConnectionState }) {
  return (
    <span className="connection" role="status" data-state={state}>
      <span className="dot" aria-hidden="true" />
      <span>{TEXTS[state]}</span>
    </span>
  )
}
