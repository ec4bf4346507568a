import { useRef } from 'react'
import { endNote, type RunEnd } from '../message/runEnd'

interface Props {
  busy: boolean
  /** How the last run ended. */
  runEnd: RunEnd | null
}

/** Tells screen readers when an answer begins and how it ends. Failures are alerts of their own. */
export function Announcer({ busy, runEnd }: Props) {
  const seen = useRef(false)
  if (busy) seen.current = true
  return (
    <p className="visually-hidden" role="status">
      {busy ? 'The assistant is answering.' : seen.current ? endText(runEnd) : ''}
    </p>
  )
}

function endText(end: RunEnd | null): string {
  const note = end && endNote(end)
  if (!note) return 'The answer is complete.'
  if (note.kind === 'failed' || note.kind === 'cut') return ''
  return note.kind === 'stopped' ? 'The answer was stopped.' : note.reason
}
