import type { StreamChunk } from './types.js'

/** What a chunk may carry of interest here. */
interface Loose {
  type: string
  runId?: unknown
  messageId?: unknown
  messages?: unknown
}

interface Expected {
  readonly messageId: string | undefined
  accepted: boolean
  /** The stream showed that the send arrived: its message, its run, or any run that started since. */
  shown: boolean
  /** The response being read was asked for after the server had accepted the send. */
  askedAfter: boolean
}

/** How sure it is that a run is over. `shown`: it was seen to start. `unseen`: it was not. */
type Doubt = 'shown' | 'unseen'

/**
 * What one subscriber was told of runs, and which ends it is owed.
 *
 * A client waits for the RUN_FINISHED or RUN_ERROR of each run. A reader that comes back may get a snapshot instead,
 * with that run in its messages: then the end is made up here, so that nothing waits for ever. The chunks of a run
 * that is still running follow a snapshot at once, from its RUN_STARTED on.
 */
export class Delivery {
  readonly #open = new Set<string>()
  readonly #expected = new Map<string, Expected>()
  readonly #doubts = new Map<string, Doubt>()
  #first = false

  /** A send begins. */
  expect(runId: string, messageId: string | undefined): void {
    this.#expected.set(runId, { messageId, accepted: false, shown: false, askedAfter: false })
  }

  /** Its 202 came. */
  accept(runId: string): void {
    const expected = this.#expected.get(runId)
    if (expected) expected.accepted = true
  }

  /** It failed, or nobody waits for it any more. */
  withdraw(runId: string): void {
    this.#expected.delete(runId)
    if (!this.#open.has(runId)) this.#doubts.delete(runId)
  }

  /** A response is asked for; its first chunk may be a snapshot of what was missed. */
  asked(): void {
    this.#first = true
    for (const expected of this.#expected.values()) expected.askedAfter = expected.accepted
  }

  /** Whether an answer is being waited for or written. */
  get busy(): boolean {
    return this.#open.size > 0 || this.#expected.size > 0
  }

  /** The run that was seen to start last and not to end. */
  get openRun(): string | undefined {
    return [...this.#open].at(-1)
  }

  /** Whether the stream has shown anything of this send. */
  isShown(runId: string): boolean {
    return this.#expected.get(runId)?.shown ?? true
  }

  /** Whether a send was accepted of which the stream shows nothing. */
  get overdue(): boolean {
    return [...this.#expected.values()].some((expected) => expected.accepted && !expected.shown)
  }

  /** What is in doubt now and is to be settled if nothing more comes. */
  get doubt(): Doubt | undefined {
    const doubts = [...this.#doubts.values()]
    return doubts.includes('shown') ? 'shown' : doubts[0]
  }

  /** The chunks to pass on for the next one that came. */
  feed(chunk: StreamChunk): StreamChunk[] {
    const { type, runId, messageId, messages } = chunk as Loose
    const first = this.#first
    this.#first = false
    const run = typeof runId === 'string' ? runId : undefined
    if (type === 'MESSAGES_SNAPSHOT') {
      this.#snapshot(Array.isArray(messages) ? messages : [], first)
      return [chunk]
    }
    if (type === 'RUN_STARTED' && run !== undefined) this.#doubts.delete(run)
    const owed = this.settle('shown')
    if (type === 'RUN_STARTED') {
      if (run !== undefined) this.#open.add(run)
      this.#doubts.clear()
      for (const expected of this.#expected.values()) expected.shown = true
    } else if (type === 'RUN_FINISHED' || type === 'RUN_ERROR') {
      this.#ended(run, type === 'RUN_ERROR')
    } else if (type === 'TEXT_MESSAGE_START') {
      for (const expected of this.#expected.values()) expected.shown ||= expected.messageId === messageId
    }
    return [...owed, chunk]
  }

  /** The made-up ends of what is in doubt, which is then over. */
  settle(doubt: Doubt): StreamChunk[] {
    const over = [...this.#doubts].filter(([, known]) => known === doubt).map(([runId]) => runId)
    for (const runId of over) {
      this.#doubts.delete(runId)
      this.#open.delete(runId)
      this.#expected.delete(runId)
    }
    return over.map(finished)
  }

  /** The server has nothing to read (204), so that nothing runs: the ends of all that was accepted before. */
  nothing(): StreamChunk[] {
    for (const runId of this.#open) this.#doubts.set(runId, 'shown')
    for (const [runId, expected] of this.#expected) if (expected.askedAfter) this.#doubts.set(runId, 'shown')
    return this.settle('shown')
  }

  #snapshot(messages: unknown[], first: boolean): void {
    for (const runId of this.#open) this.#doubts.set(runId, 'shown')
    const ids = messages.map((message) => (message as { id?: unknown } | null)?.id)
    for (const [runId, expected] of this.#expected) {
      const at = expected.messageId === undefined ? -1 : ids.lastIndexOf(expected.messageId)
      if (at >= 0 && at === ids.length - 1) expected.shown = true
      if (!first || !expected.askedAfter) continue
      // Asked for after the send was accepted, and opening with a snapshot: the run may be over.
      this.#doubts.set(runId, at >= 0 && at < ids.length - 1 ? 'shown' : 'unseen')
    }
  }

  #ended(run: string | undefined, failed: boolean): void {
    if (run !== undefined) this.#open.delete(run)
    else if (failed) this.#open.clear()
    for (const [runId, expected] of this.#expected) {
      if (runId === run || expected.shown) this.#expected.delete(runId)
    }
    for (const runId of this.#doubts.keys()) {
      if (!this.#open.has(runId) && !this.#expected.has(runId)) this.#doubts.delete(runId)
    }
  }
}

function finished(runId: string): StreamChunk {
  const chunk = { type: 'RUN_FINISHED', runId, threadId: '', timestamp: Date.now(), finishReason: 'stop' }
  return chunk as unknown as StreamChunk
}
