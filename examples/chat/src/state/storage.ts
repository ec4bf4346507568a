/** Read a value from the browser's storage. Return null if it is missing, unreadable, or storage is blocked. */
export function load<T>(storage: () => Storage, key: string, read: (value: unknown) => T): T | null {
  try {
    const text = storage().getItem(key)
    return text === null ? null : read(JSON.parse(text))
  } catch {
    return null
  }
}

/** Store a value, or remove it when it is null. */
export function save(storage: () => Storage, key: string, value: unknown): void {
  try {
    if (value === null) storage().removeItem(key)
    else storage().setItem(key, JSON.stringify(value))
  } catch {
    // Storage is full or blocked. The page works without it.
  }
}
