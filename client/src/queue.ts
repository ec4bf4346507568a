import { mergeDeltas, weightOf } from './merge.js'
import type { StreamChunk } from './types.js'

const MOST_ITEMS = 256
const MOST_CHARACTERS = 1024 * 1024

/** A chunk on its way to the consumer, and the stream's cursor after it. */
export interface Item {
  readonly chunk: StreamChunk | undefined
  readonly cursor: number | undefined
}

/**
 * A bounded queue of chunks between the reader of a stream and one consumer. Deltas that wait in it together are
 * merged, so that a slow consumer does not lag behind a fast stream.
 */
export class Queue {
  #items: Item[] = []
  #characters = 0
  #error: { thrown: unknown } | undefined
  #ended = false
  #closed = false
  #readable = () => {}
  #writable: Array<() => void> = []

  /** Add an item. Resolves when there is room for more, and at once after `close`. */
  async push(item: Item): Promise<void> {
    if (this.#closed) return
    this.#add(item)
    this.#characters += weightOf(item.chunk)
    this.#readable()
    if (this.#isFull) await new Promise<void>((resolve) => this.#writable.push(resolve))
  }

  /** End the reading after what waits. */
  end(): void {
    this.#ended = true
    this.#readable()
  }

  /** Throw this at the consumer, after what waits. */
  fail(thrown: unknown): void {
    this.#error ??= { thrown }
    this.#readable()
  }

  /** End the reading now, and drop what waits. */
  close(): void {
    this.#closed = true
    this.#items = []
    this.#characters = 0
    this.#readable()
    this.#release()
  }

  /** Yield what is pushed, until `close`. */
  async *read(): AsyncGenerator<Item, void, undefined> {
    for (;;) {
      for (let item = this.#items.shift(); item; item = this.#items.shift()) {
        this.#characters -= weightOf(item.chunk)
        if (!this.#isFull) this.#release()
        yield item
      }
      if (this.#closed) return
      if (this.#error) throw this.#error.thrown
      if (this.#ended) return
      await new Promise<void>((resolve) => {
        this.#readable = resolve
        if (this.#items.length > 0 || this.#closed || this.#ended || this.#error) resolve()
      })
    }
  }

  get #isFull(): boolean {
    return this.#items.length >= MOST_ITEMS || this.#characters >= MOST_CHARACTERS
  }

  #add(item: Item): void {
    const last = this.#items.at(-1)
    const chunk = last?.chunk && item.chunk && mergeDeltas(last.chunk, item.chunk)
    if (chunk) this.#items[this.#items.length - 1] = { chunk, cursor: item.cursor ?? last.cursor }
    else this.#items.push(item)
  }

  #release(): void {
    for (const resolve of this.#writable.splice(0)) resolve()
  }
}
