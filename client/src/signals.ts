import { abortError } from './errors.js'

/** Abort `controller` along with `signal`. The returned function undoes the link. */
export function link(signal: AbortSignal | undefined, controller: AbortController): () => void {
  if (!signal) return () => {}
  const abort = () => controller.abort(signal.reason)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort)
  return () => signal.removeEventListener('abort', abort)
}

/**
 * Settle as the promise does, or reject with an AbortError as soon as the signal comes: not everything that is waited
 * for heeds it. `late` gets what comes after that.
 */
export function orAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal,
  late: (value: T) => void = () => {},
): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(abortError())
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort)
    const settled = promise.finally(() => signal.removeEventListener('abort', abort))
    settled.then((value) => {
      if (signal.aborted) late(value)
      resolve(value)
    }, reject)
  })
}

/**
 * Return an async generator that ends with the signal, and whose `return` also ends a `next` that is waiting.
 * `generate` gets the signal that says so.
 */
export function closable<T>(
  generate: (signal: AbortSignal) => AsyncGenerator<T, void, undefined>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, undefined> {
  const controller = new AbortController()
  const unlink = link(signal, controller)
  const inner = generate(controller.signal)
  const close = () => {
    controller.abort()
    unlink()
  }
  const outer = {
    next: () => inner.next(),
    return: (value: void) => {
      close()
      return inner.return(value)
    },
    throw: (error: unknown) => {
      close()
      return inner.throw(error)
    },
    [Symbol.asyncIterator]: () => outer,
  } as AsyncGenerator<T, void, undefined>
  return outer
}

/** Call one of the app's listeners. What it throws is reported as uncaught, and changes nothing here. */
export function tell(listener: () => void): void {
  try {
    listener()
  } catch (error) {
    const { reportError } = globalThis as { reportError?: (error: unknown) => void }
    if (typeof reportError === 'function') reportError(error)
    else console.error(error)
  }
}
