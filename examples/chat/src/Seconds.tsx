import { useEffect, useState } from 'react'

/** The whole seconds since a moment (milliseconds since 1970), counting on. Screen readers do not read it out. */
export function Seconds({ since }: { since: number }) {
  const [now, setNow] = useState(Date.now)

  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000)
    return () => clearInterval(timer)
  }, [])

  const seconds = Math.floor((now - since) / 1000)
  return seconds < 1 ? null : (
    <span className="seconds" aria-hidden="true">
      {seconds} s
    </span>
  )
}
