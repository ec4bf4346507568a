import { Session } from './session.js'
import { DEFAULT_TIMING } from './timing.js'
import { Turns } from './turns.js'
import type { S2ConnectionFor, S2ConnectionOptions } from './types.js'

/**
 * Connect TanStack AI's `useChat` (or `ChatClient`) to a server that keeps its chats in a log.
 *
 * In mode `session`, pass `live: true` to `useChat`: the chat is read from the log, sent messages included. In the
 * modes `single-use` and `shared`, the response to the send brings the chunks; with `subscribeUrl` a broken response is
 * read on from there, as is the running answer after a reload.
 *
 * Throws TypeError if the options do not fit together.
 */
export function createS2Connection<const Options extends S2ConnectionOptions>(
  options: Options,
): S2ConnectionFor<Options> {
  const { mode = 'single-use', sendUrl, subscribeUrl, stopUrl, hydrateUrl } = options as S2ConnectionOptions
  if (mode !== 'single-use' && mode !== 'shared' && mode !== 'session') {
    throw new TypeError(`createS2Connection: mode is ${String(mode)}; it must be single-use, shared or session.`)
  }
  if (!sendUrl) throw new TypeError('createS2Connection: sendUrl is missing.')
  if (mode === 'session' && !subscribeUrl) {
    throw new TypeError('createS2Connection: mode session needs subscribeUrl, where the chat is read.')
  }
  if (mode !== 'session' && hydrateUrl) {
    throw new TypeError(`createS2Connection: hydrateUrl needs mode session; mode is ${mode}.`)
  }
  const timing = { ...DEFAULT_TIMING, ...options.timing }
  const chat = mode === 'session' ? new Session(options, timing) : new Turns(options, timing)
  const requests = subscribeUrl
    ? { subscribe: chat.subscribe.bind(chat), send: chat.send.bind(chat) }
    : { connect: (chat as Turns).connect.bind(chat) }
  const connection = {
    ...requests,
    ...(stopUrl ? { stop: chat.stop.bind(chat) } : {}),
    ...(hydrateUrl ? { hydrate: (chat as Session).hydrate.bind(chat) } : {}),
    reconnect: () => chat.reconnect(),
    watch: (watcher: () => void) => chat.status.watch(watcher),
    get state() {
      return chat.status.current.state
    },
    get status() {
      return chat.status.current
    },
  }
  return connection as unknown as S2ConnectionFor<Options>
}
