import type { ConnectionState } from './connection'

const TEXTS: Record<ConnectionState, string> = {
  connecting: 'Connecting…',
  live: 'Connected',
  reconnecting: 'Reconnecting…',
  paused: 'Paused',
  failed: 'Not connected',
}

/** How this tab stands with the server. */
export function ConnectionBadge({ state }: { state: ConnectionState }) {
  return (
    <span className="connection" role="status" data-state={state}>
      <span className="dot" aria-hidden="true" />
      <span>{TEXTS[state]}</span>
    </span>
  )
}
