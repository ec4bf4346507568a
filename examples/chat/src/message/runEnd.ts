import type { UIMessage } from '@tanstack/ai-react'
import { clipped } from '../text'

/** The most characters that the page shows of an error. */
const MAX_REASON = 2000

const OUTCOMES = ['finished', 'stopped', 'failed', 'lost', 'deadline'] as const

/** How a run ended, as the server tells every reader in `metadata.resumable.run`. */
export interface RunEnd {
  outcome: (typeof OUTCOMES)[number]
  /** The text that the server shows its users when a run fails. */
  error?: string
  /** The model provider's reason, for example `stop`, `length` or `content_filter`. */
  finishReason?: string
}

/** What the page says about an answer that is not simply whole. */
export interface EndNote {
  kind: 'stopped' | 'failed' | 'cut' | 'limited'
  label: string
  reason: string
}

/** Return how the run of a message ended, or null if the message does not say. Never throws, whatever the log holds. */
export function runEndOf(message: Pick<UIMessage, 'metadata'>): RunEnd | null {
  const run = field(field(message.metadata, 'resumable'), 'run')
  const outcome = OUTCOMES.find((known) => known === field(run, 'outcome'))
  if (outcome === undefined) return null
  const error = text(field(run, 'error'))
  const finishReason = text(field(run, 'finishReason'))
  return { outcome, ...(error && { error }), ...(finishReason && { finishReason }) }
}

/** Return how a run ended that broke off with this RUN_ERROR; for servers that write no outcome into the messages. */
export function runEndOfError({ code, message }: { code?: unknown; message?: unknown }): RunEnd {
  if (code === 'writer_lost') return { outcome: 'lost' }
  if (code === 'deadline') return { outcome: 'deadline' }
  const error = text(message)
  return { outcome: 'failed', ...(error && { error }) }
}

/** Return what to say about an end, or null for an answer that is whole. */
export function endNote({ outcome, error, finishReason }: RunEnd): EndNote | null {
  switch (outcome) {
    case 'stopped':
      return { kind: 'stopped', label: 'Stopped', reason: '' }
    case 'failed':
      return { kind: 'failed', label: 'Failed', reason: clipped(error ?? 'An error occurred.', MAX_REASON) }
    case 'lost':
      return { kind: 'cut', label: 'Cut off', reason: 'The server stopped working while it wrote this answer.' }
    case 'deadline':
      return { kind: 'cut', label: 'Cut off', reason: 'The server ran out of time while it wrote this answer.' }
    case 'finished':
      return LIMITS[finishReason?.toLowerCase().replace('-', '_') ?? ''] ?? null
  }
}

const LIMITS: Record<string, EndNote> = {
  length: { kind: 'limited', label: 'Length limit', reason: 'The model reached its length limit before the end.' },
  content_filter: {
    kind: 'limited',
    label: 'Content filter',
    reason: "The model provider's content filter ended this answer.",
  },
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}

const text = (value: unknown): string => (typeof value === 'string' ? value.trim() : '')
