/** The callbacks of one store, as `useSyncExternalStore` subscribes them. */
export class Listeners {
  readonly #callbacks = new Set<() => void>()

  readonly subscribe = (callback: () => void): (() => void) => {
    this.#callbacks.add(callback)
    return () => this.#callbacks.delete(callback)
  }

  notify(): void {
    for (const callback of this.#callbacks) callback()
  }
}
