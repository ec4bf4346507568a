import { S2StreamError } from './errors.js'
import type { Requests } from './requests.js'
import type { UIMessage } from './types.js'

/** Which part of a long chat is asked for. */
export interface HydrateOptions {
  /** The number of messages. */
  limit?: number
  /** The cursor of an earlier answer. */
  before?: string
}

/** A stored chat, as `ChatClient` takes it. */
export interface Hydration {
  messages: UIMessage[]
  /** Always null: the subscription brings the running answer. */
  activeRun: null
  /** The interrupts that wait for an answer, and the run that they ended. */
  interrupts: { runId: string; pending: unknown[] } | null
  page?: { truncated: false } | { truncated: true; cursor: string }
}

/** Fetch the stored chat of a thread. Throws an S2Error if it cannot be read. */
export async function hydrate(requests: Requests, threadId: string, options: HydrateOptions = {}): Promise<Hydration> {
  const { limit, before } = options
  const answer = await requests.history({ threadId, limit, before })
  const { messages, interrupts, page } = (answer ?? {}) as Record<string, unknown>
  if (!Array.isArray(messages)) throw new S2StreamError('The history has no list of messages. Is hydrateUrl right?')
  const hydration: Hydration = { messages: messages as UIMessage[], activeRun: null, interrupts: pendingOf(interrupts) }
  return isPage(page) ? { ...hydration, page } : hydration
}

function pendingOf(interrupts: unknown): Hydration['interrupts'] {
  const { runId, pending } = (interrupts ?? {}) as Record<string, unknown>
  return typeof runId === 'string' && Array.isArray(pending) ? { runId, pending: pending as unknown[] } : null
}

function isPage(page: unknown): page is NonNullable<Hydration['page']> {
  const { truncated, cursor } = (page ?? {}) as Record<string, unknown>
  return truncated === false || (truncated === true && typeof cursor === 'string' && cursor !== '')
}
