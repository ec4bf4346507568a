import type { StreamChunk } from './types.js'

/** The field that names what a delta belongs to. */
const TARGETS: Readonly<Record<string, string>> = {
  TEXT_MESSAGE_CONTENT: 'messageId',
  TOOL_CALL_ARGS: 'toolCallId',
  REASONING_MESSAGE_CONTENT: 'messageId',
}
const KNOWN: ReadonlySet<string> = new Set(['type', 'messageId', 'toolCallId', 'delta', 'timestamp'])

type Loose = Record<string, unknown>

/**
 * Merge a delta into the one before it. Return undefined unless both have the same type and target, and carry nothing
 * but their delta: then the client shows the same for one chunk as for two.
 */
export function mergeDeltas(first: StreamChunk, second: StreamChunk): StreamChunk | undefined {
  const one: Loose = { ...first }
  const two: Loose = { ...second }
  const target = typeof one.type === 'string' && Object.hasOwn(TARGETS, one.type) ? TARGETS[one.type] : undefined
  if (target === undefined || one.type !== two.type) return undefined
  if (typeof one[target] !== 'string' || one[target] !== two[target]) return undefined
  if (typeof one.delta !== 'string' || typeof two.delta !== 'string') return undefined
  if (![one, two].every((chunk) => Object.keys(chunk).every((key) => KNOWN.has(key)))) return undefined
  return { ...one, delta: one.delta + two.delta } as unknown as StreamChunk
}

/** Return how much a chunk adds to what waits, in characters of its delta. */
export function weightOf(chunk: StreamChunk | undefined): number {
  const { delta } = (chunk ?? {}) as Loose
  return typeof delta === 'string' ? delta.length : 0
}
