/** What a browser's storage holds under a key; null when there is nothing, or when storage is blocked. */
export function load<T>(storage: () => Storage, key: string, read: (value: unknown) => T): T | null {
  try {
    const text = storage().getItem(key)
    return text === null ? null : read(JSON.parse(text))
  } catch {
    return null
  }
}

/** Keep a value, or forget it when it is null. Full or blocked storage is no reason to fail. */
export function save(storage: () => Storage, key: string, value: unknown): void {
  try {
    if (value === null) storage().removeItem(key)
    else storage().setItem(key, JSON.stringify(value))
  } catch {
    // The page works without.
  }
}
