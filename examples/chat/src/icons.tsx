import type { ComponentProps } from 'react'

const PATHS = {
  plus: 'M12 5v14M5 12h14',
  menu: 'M4 7h16M4 12h16M4 17h16',
  close: 'M6 6l12 12M18 6L6 18',
  send: 'M12 19V5M6 11l6-6 6 6',
  image: 'M4 6a2 2 0 012-2h12a2 2 0 012 2v12a2 2 0 01-2 2H6a2 2 0 01-2-2zM4 16l4.5-4.5 4 4 2.5-2.5 5 5M15.5 8.5h.01',
  copy: 'M9 9h10v10a1 1 0 01-1 1H10a1 1 0 01-1-1zM15 9V5a1 1 0 00-1-1H5a1 1 0 00-1 1v9a1 1 0 001 1h4',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  redo: 'M20 5v5h-5M19.5 10A8 8 0 1020 14',
  edit: 'M4 20h4L19 9l-4-4L4 16zM13 7l4 4',
  down: 'M12 5v14M6 13l6 6 6-6',
  chevron: 'M9 6l6 6-6 6',
  tool: 'M14.5 6.5a4 4 0 00-5.3 5L4 16.7 7.3 20l5.2-5.2a4 4 0 005-5.3l-2.6 2.6-2.9-.7-.7-2.9z',
  stopped: 'M8 8h8v8H8zM3 12a9 9 0 1018 0 9 9 0 10-18 0',
  clock: 'M12 7v5l3 2M3 12a9 9 0 1018 0 9 9 0 10-18 0',
  warning: 'M12 4l9 16H3zM12 10v4M12 17h.01',
} as const

export type IconName = keyof typeof PATHS

/** A line icon. It is decoration: the control around it has the label. */
export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg className="icon" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  )
}

/** A button with an icon alone. Its label is the tooltip, and what screen readers read. */
export function IconButton({
  icon,
  label,
  size = 16,
  ...props
}: { icon: IconName; label: string; size?: number } & ComponentProps<'button'>) {
  return (
    <button type="button" className="quiet" title={label} {...props}>
      <Icon name={icon} size={size} />
      <span className="visually-hidden">{label}</span>
    </button>
  )
}

/** Dots that move while more is to come. */
export function Dots() {
  return (
    <span className="pending" aria-hidden="true">
      <i />
      <i />
      <i />
    </span>
  )
}
