import type { OwnRuns } from './own-runs.js'
import type { StreamChunk } from './types.js'

type Loose = Record<string, unknown>

/**
 * Keeps client tools to the tab that sent the run.
 *
 * `ChatClient` runs a tool when it sees `CUSTOM tool-input-available` or an interrupt of the kind `client_tool`, from
 * whichever tab the run was sent: every tab that has the chat open would run it, and again after each reconnect.
 */
export class ClientTools {
  readonly #own: OwnRuns
  #run: string | undefined

  constructor(own: OwnRuns) {
    this.#own = own
  }

  /** Return the chunk as this tab's client should see it; undefined if it should not. */
  pass(chunk: StreamChunk): StreamChunk | undefined {
    const { type, runId, name, value } = chunk as unknown as Loose
    if (type === 'RUN_STARTED' && typeof runId === 'string') this.#run = runId
    const run = typeof runId === 'string' ? runId : this.#run
    if (type === 'CUSTOM' && name === 'tool-input-available') {
      return this.#own.claim(run, (value as Loose | null | undefined)?.toolCallId) ? chunk : undefined
    }
    return type === 'RUN_FINISHED' ? this.#finished(chunk, run) : chunk
  }

  /** Interrupts stay, so that the chat shows what it waits for; those of client tools name no tool to run. */
  #finished(chunk: StreamChunk, run: string | undefined): StreamChunk {
    const { outcome } = chunk as unknown as { outcome?: Loose | null }
    const { interrupts } = outcome ?? {}
    if (outcome?.type !== 'interrupt' || !Array.isArray(interrupts)) return chunk
    const shown = interrupts.map((interrupt: unknown) => {
      if (!isClientTool(interrupt) || this.#own.claim(run, interrupt.toolCallId)) return interrupt
      const { toolName, ...metadata } = (interrupt.metadata ?? {}) as Loose
      return { ...interrupt, metadata: { ...metadata, toolName: '', elsewhere: toolName } }
    })
    if (shown.every((interrupt, index) => interrupt === interrupts[index])) return chunk
    return { ...chunk, outcome: { ...outcome, interrupts: shown } } as unknown as StreamChunk
  }
}

function isClientTool(interrupt: unknown): interrupt is { toolCallId: unknown; metadata?: unknown } {
  const { reason, metadata } = (interrupt ?? {}) as { reason?: unknown; metadata?: Loose | null }
  return reason === 'client_tool_input' || metadata?.kind === 'client_tool'
}
