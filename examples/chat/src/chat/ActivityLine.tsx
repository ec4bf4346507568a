import { useRef } from 'react'
import { Dots } from '../icons'
import { Seconds } from '../Seconds'
import type { Activity } from './activity'

const TEXTS: Record<Activity, string> = {
  sending: 'Sending…',
  thinking: 'Thinking…',
  writing: '',
  waiting: 'Waiting for the model…',
}

/** What the chat is doing, below the messages, and for how many seconds. */
export function ActivityLine({ activity }: { activity: Activity }) {
  const since = useRef({ activity, at: Date.now() })
  if (since.current.activity !== activity) since.current = { activity, at: Date.now() }
  const { at } = since.current
  return (
    <p className="activity" data-activity={activity}>
      <Dots />
      {TEXTS[activity] && <span>{TEXTS[activity]}</span>}
      {(activity === 'thinking' || activity === 'waiting') && <Seconds key={at} since={at} />}
    </p>
  )
}
