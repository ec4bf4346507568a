import { useEffect, useRef, useState } from 'react'

/** The value, at most once every `interval` milliseconds; with 0 at once. The newest one is never left out. */
export function useThrottled<T>(value: T, interval: number): T {
  const [shown, setShown] = useState(value)
  const latest = useRef(value)
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  latest.current = value

  useEffect(() => {
    if (interval === 0 || timer.current !== undefined) return
    timer.current = setTimeout(() => {
      timer.current = undefined
      setShown(latest.current)
    }, interval)
  }, [value, interval])

  useEffect(
    () => () => {
      clearTimeout(timer.current)
      timer.current = undefined
    },
    [],
  )

  return interval === 0 ? value : shown
}
