import { useImperativeHandle, useLayoutEffect, useRef, type ComponentProps, type Ref } from 'react'

/** A text field that grows with its text; CSS says how far. */
export function AutoTextarea({ ref, autoFocus, ...props }: ComponentProps<'textarea'> & { ref?: Ref<HTMLTextAreaElement> }) {
  const area = useRef<HTMLTextAreaElement>(null)
  useImperativeHandle(ref, () => area.current!, [])

  useLayoutEffect(() => {
    const element = area.current!
    element.style.height = 'auto'
    element.style.height = `${element.scrollHeight}px`
  }, [props.value])

  useLayoutEffect(() => {
    const element = area.current!
    if (!autoFocus) return
    element.focus()
    element.setSelectionRange(element.value.length, element.value.length)
  }, [autoFocus])

  return <textarea ref={area} rows={1} {...props} />
}
