import { useEffect, useRef, useState } from 'react'

/** Return the value, renewed at most once every `interval` milliseconds (0: at once). The newest value always comes. */
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
