const MOST_RUNS = 256
const MOST_CALLS = 1024

/** The runs that this tab sent, which run their client tools here, and the calls that it was handed. */
export class OwnRuns {
  readonly #runs = new Set<string>()
  readonly #calls = new Set<string>()

  add(runId: string): void {
    keep(this.#runs, runId, MOST_RUNS)
  }

  has(runId: string | undefined): boolean {
    return runId !== undefined && this.#runs.has(runId)
  }

  /** Claim a client tool's call for this tab. Return true for a call of an own run, and that only once. */
  claim(runId: string | undefined, toolCallId: unknown): boolean {
    const call = JSON.stringify([runId, toolCallId])
    if (!this.has(runId) || this.#calls.has(call)) return false
    keep(this.#calls, call, MOST_CALLS)
    return true
  }
}

/** Add an entry, and drop the oldest one if there are too many. */
function keep(entries: Set<string>, entry: string, most: number): void {
  entries.add(entry)
  if (entries.size > most) entries.delete(entries.values().next().value as string)
}
