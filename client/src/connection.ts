import { Session } from './session.js'
import { DEFAULT_TIMING } from './timing.js'
import { Turns } from './turns.js'
import type { S2ConnectionFor, S2ConnectionOptions } from './types.js'

/**
 * The connection between TanStack AI's `useChat` (or `ChatClient`) and a server that keeps its chats in a log.
 *
 * In mode `session`, pass `live: true` to `useChat`: the chat is read from the log, sent messages included. In the
 * modes `single-use` and `shared`, the chunks come in the response to the send; with `subscribeUrl` a broken response
 * is read on from there, as is the running generation after a reload.
 *
 * Throws TypeError if the options do not fit together.
 */
export function createS2Connection<const Options extends S2ConnectionOptions>(
  options: Options,
): S2ConnectionFor<Options> {
  const { mode = 'single-use', sendUrl, subscribeUrl, stopUrl } = options as S2ConnectionOptions
  if (mode !== 'single-use' && mode !== 'shared' && mode !== 'session') {
    throw new TypeError(`createS2Connection: mode is ${String(mode)}; it must be single-use, shared or session.`)
  }
  if (!sendUrl) throw new TypeError('createS2Connection: sendUrl is missing.')
  if (mode === 'session' && !subscribeUrl) {
    throw new TypeError('createS2Connection: mode session needs subscribeUrl, where the chat is read.')
  }
  const timing = { ...DEFAULT_TIMING, ...options.timing }
  const chat = mode === 'session' ? new Session(options, timing) : new Turns(options, timing)
  const requests = subscribeUrl
    ? { subscribe: chat.subscribe.bind(chat), send: chat.send.bind(chat) }
    : { connect: (chat as Turns).connect.bind(chat) }
  const connection = {
    ...requests,
    ...(stopUrl ? { stop: chat.stop.bind(chat) } : {}),
    get state() {
      return chat.state
    },
  }
  return connection as unknown as S2ConnectionFor<Options>
}
