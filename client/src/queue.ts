const ROOM = 256

/** A bounded queue between those who push and one who reads. */
export class Queue<Item> {
  #items: Item[] = []
  #error: { thrown: unknown } | undefined
  #closed = false
  #readable = () => {}
  #writable: Array<() => void> = []

  /** Resolves when there is room for more; at once after `close`. */
  async push(item: Item): Promise<void> {
    if (this.#closed) return
    this.#items.push(item)
    this.#readable()
    if (this.#items.length >= ROOM) await new Promise<void>((resolve) => this.#writable.push(resolve))
  }

  /** The reader gets this after what waits. */
  fail(thrown: unknown): void {
    this.#error ??= { thrown }
    this.#readable()
  }

  /** Nobody reads any more. */
  close(): void {
    this.#closed = true
    this.#items = []
    this.#readable()
    for (const resolve of this.#writable.splice(0)) resolve()
  }

  /** What is pushed, until `close`. */
  async *read(): AsyncGenerator<Item, void, undefined> {
    for (;;) {
      while (this.#items.length > 0) {
        yield this.#items.shift() as Item
        if (this.#items.length < ROOM) for (const resolve of this.#writable.splice(0)) resolve()
      }
      if (this.#closed) return
      if (this.#error) throw this.#error.thrown
      await new Promise<void>((resolve) => {
        this.#readable = resolve
        if (this.#items.length > 0 || this.#closed || this.#error) resolve()
      })
    }
  }
}
