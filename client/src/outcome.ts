/** How a run ended, as the server keeps it with the run's last message. */
export interface RunOutcome {
  /** The run's id. */
  id: string
  /**
   * - `finished`: the model came to an end; `finishReason` says to which (`stop`, `length`, `content_filter` …).
   * - `stopped`: a user stopped it.
   * - `failed`: the model failed; `error` is what the user may read.
   * - `lost`: the process that wrote the answer died.
   * - `deadline`: the platform's time was over.
   */
  outcome: 'finished' | 'stopped' | 'failed' | 'lost' | 'deadline'
  error?: string
  finishReason?: string | null
  startedAt?: string | number
  endedAt?: string | number
  usage?: Record<string, unknown>
}

const OUTCOMES: ReadonlySet<unknown> = new Set(['finished', 'stopped', 'failed', 'lost', 'deadline'])

/** Return how the run of this message ended: undefined while it runs, and if the server does not tell. */
export function runOutcome(message: object): RunOutcome | undefined {
  const { resumable } = record((message as { metadata?: unknown }).metadata)
  const { run } = record(resumable)
  const { id, outcome } = record(run)
  return typeof id === 'string' && OUTCOMES.has(outcome) ? (run as RunOutcome) : undefined
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
