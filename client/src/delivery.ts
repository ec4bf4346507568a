import type { OwnRuns } from './own-runs.js'
import type { StreamChunk } from './types.js'

/** The fields of a chunk that matter here. */
interface Loose {
  type: string
  runId?: unknown
  parentRunId?: unknown
  messageId?: unknown
  messages?: unknown
  outcome?: { type?: unknown } | null
}

interface Expected {
  readonly messageId: string | undefined
  accepted: boolean
  /** The stream showed that the send arrived: its message, its run, or any run that started since. */
  shown: boolean
  /** The stream showed the send's own message. */
  messageShown: boolean
  /** The run that the stream showed for it, which may have a name of the server's. */
  run: string | undefined
  /** The response being read was asked for after the server had accepted the send. */
  askedAfter: boolean
}

/** How sure it is that a run is over. `shown`: it was seen to start. `unseen`: it was not. */
type Doubt = 'shown' | 'unseen'

/**
 * Tracks which runs a subscriber has seen start, so that each gets an end.
 *
 * A client waits for the RUN_FINISHED or RUN_ERROR of each run. After a gap, a reader may get a snapshot with the whole
 * answer instead: then the end is made up here, so that nothing waits for ever. The chunks of a run that goes on follow
 * a snapshot at once, from its RUN_STARTED on; so does the RUN_FINISHED of an interrupt that is still pending.
 */
export class Delivery {
  readonly #own: OwnRuns
  readonly #open = new Set<string>()
  readonly #expected = new Map<string, Expected>()
  readonly #doubts = new Map<string, Doubt>()
  #interrupted: string | undefined
  #first = false

  constructor(own: OwnRuns) {
    this.#own = own
  }

  /** A send begins. Nothing can be sent while an interrupt is pending but its answer. */
  expect(runId: string, messageId: string | undefined): void {
    const expected = { accepted: false, shown: false, messageShown: false, run: undefined, askedAfter: false }
    this.#expected.set(runId, { ...expected, messageId })
    this.#forgetInterrupt()
  }

  /** The server accepted a send. */
  accept(runId: string): void {
    const expected = this.#expected.get(runId)
    if (expected) expected.accepted = true
  }

  /** A send failed, or nobody waits for it any more. */
  withdraw(runId: string): void {
    this.#expected.delete(runId)
    if (!this.#open.has(runId)) this.#doubts.delete(runId)
  }

  /** A response is asked for. Its first chunk may be a snapshot of what was missed. */
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

  /** Return whether the stream has shown anything of this send. */
  isShown(runId: string): boolean {
    return this.#expected.get(runId)?.shown ?? true
  }

  /** Whether a send was accepted of which the stream shows nothing. */
  get overdue(): boolean {
    return [...this.#expected.values()].some((expected) => expected.accepted && !expected.shown)
  }

  /** The doubt that is to be settled if nothing more comes. */
  get doubt(): Doubt | undefined {
    const doubts = [...this.#doubts.values()]
    return doubts.includes('shown') ? 'shown' : doubts[0]
  }

  /** Return the chunks to pass on for the next one that came. */
  feed(chunk: StreamChunk): StreamChunk[] {
    const { type, runId, messageId, messages } = chunk as Loose
    const first = this.#first
    this.#first = false
    const run = typeof runId === 'string' ? runId : undefined
    if (type === 'MESSAGES_SNAPSHOT') {
      this.#snapshot(Array.isArray(messages) ? messages : [], first)
      return [chunk]
    }
    if (run !== undefined && (type === 'RUN_STARTED' || isInterrupt(chunk))) this.#doubts.delete(run)
    const owed = this.settle('shown')
    if (type === 'RUN_STARTED') {
      const parent = this.#interrupted
      this.#started(run)
      return [...owed, withParent(chunk, parent)]
    }
    if (type === 'RUN_FINISHED' || type === 'RUN_ERROR') {
      if (isInterrupt(chunk) && this.#isAnswered(run)) return owed
      this.#ended(run, type === 'RUN_ERROR')
      this.#interrupted = isInterrupt(chunk) ? run : undefined
    } else if (type === 'TEXT_MESSAGE_START') {
      for (const expected of this.#expected.values()) {
        if (expected.messageId === messageId) expected.shown = expected.messageShown = true
      }
    }
    return [...owed, chunk]
  }

  /** Return the made-up ends of the runs in this doubt, which then are over. */
  settle(doubt: Doubt): StreamChunk[] {
    const over = [...this.#doubts].filter(([, known]) => known === doubt).map(([runId]) => runId)
    for (const runId of over) {
      this.#doubts.delete(runId)
      this.#open.delete(runId)
      this.#expected.delete(runId)
      if (this.#interrupted === runId) this.#interrupted = undefined
    }
    return over.map(finished)
  }

  /** The server has nothing to read (204), so nothing runs. Return the ends of all that was accepted before. */
  nothing(): StreamChunk[] {
    for (const runId of this.#open) this.#doubts.set(runId, 'shown')
    for (const [runId, expected] of this.#expected) if (expected.askedAfter) this.#doubts.set(runId, 'shown')
    return this.settle('shown')
  }

  #snapshot(messages: unknown[], first: boolean): void {
    for (const runId of this.#open) this.#doubts.set(runId, 'shown')
    if (this.#interrupted !== undefined) this.#doubts.set(this.#interrupted, 'shown')
    const ids = messages.map((message) => (message as { id?: unknown } | null)?.id)
    for (const [runId, expected] of this.#expected) {
      const at = expected.messageId === undefined ? -1 : ids.lastIndexOf(expected.messageId)
      if (at >= 0 && at === ids.length - 1) expected.shown = expected.messageShown = true
      if (!first || !expected.askedAfter) continue
      // Asked for after the send was accepted, and opening with a snapshot: the run may be over.
      this.#doubts.set(runId, at >= 0 && at < ids.length - 1 ? 'shown' : 'unseen')
    }
  }

  #started(run: string | undefined): void {
    if (run !== undefined) {
      this.#open.add(run)
      this.#assign(run)
    }
    this.#doubts.clear()
    for (const expected of this.#expected.values()) expected.shown = true
  }

  /** Find the send that a run belongs to. A server that names runs itself shows the send's message just before it. */
  #assign(run: string): void {
    const named = this.#expected.get(run)
    if (named) named.run = run
    if (this.#own.has(run)) return
    const waiting = [...this.#expected.values()].filter((expected) => expected.run === undefined)
    const sender = waiting.find(({ messageId, messageShown }) => messageId === undefined || messageShown)
    if (!sender) return
    sender.run = run
    this.#own.add(run)
  }

  /** While a send waits of which nothing is shown, the interrupt of another run is one that the send leaves behind. */
  #isAnswered(run: string | undefined): boolean {
    if (run === undefined || this.#open.has(run) || this.#expected.size === 0) return false
    return [...this.#expected].every(([runId, { shown }]) => !shown && runId !== run)
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

  #forgetInterrupt(): void {
    if (this.#interrupted === undefined) return
    this.#doubts.delete(this.#interrupted)
    this.#interrupted = undefined
  }
}

/** Return whether this chunk ends a run with an interrupt. */
export function isInterrupt(chunk: StreamChunk): boolean {
  const { type, outcome } = chunk as Loose
  return type === 'RUN_FINISHED' && outcome?.type === 'interrupt'
}

/** A run that follows an interrupt answers it: clients take that from its parent. */
function withParent(chunk: StreamChunk, parent: string | undefined): StreamChunk {
  const { runId, parentRunId } = chunk as Loose
  if (parent === undefined || parent === runId || typeof parentRunId === 'string') return chunk
  return { ...chunk, parentRunId: parent } as StreamChunk
}

function finished(runId: string): StreamChunk {
  const chunk = { type: 'RUN_FINISHED', runId, threadId: '', timestamp: Date.now(), finishReason: 'stop' }
  return chunk as unknown as StreamChunk
}
