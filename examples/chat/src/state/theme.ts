import { useSyncExternalStore } from 'react'
import { Listeners } from './listeners'
import { load, save } from './storage'

export const THEMES = ['system', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]

const KEY = 'theme'
const listeners = new Listeners()

const isTheme = (value: unknown): value is Theme => THEMES.includes(value as Theme)

let theme: Theme = load(() => localStorage, KEY, (value) => (isTheme(value) ? value : 'system')) ?? 'system'
apply()

function apply(): void {
  document.documentElement.dataset['theme'] = theme
}

export function setTheme(next: Theme): void {
  theme = next
  save(() => localStorage, KEY, next)
  apply()
  listeners.notify()
}

export const useTheme = (): Theme => useSyncExternalStore(listeners.subscribe, () => theme)
