import { Transport } from './transport.js'
import type { ResumableTransport, ResumableTransportOptions } from './types.js'

/**
 * Make a `ChatTransport` for the AI SDK's `useChat` (versions 6 and 7), against the server's AI SDK routes.
 *
 * An answer whose response breaks, stalls or ends early is read on from the last chunk, and a send that does not get
 * through is repeated, without a word to `useChat`. Failures are the same as those of `createS2Connection`.
 *
 * Throws TypeError if the options do not fit together.
 */
export function createResumableTransport(options: ResumableTransportOptions = {}): ResumableTransport {
  if (options.api !== undefined && (typeof options.api !== 'string' || options.api === '')) {
    throw new TypeError('createResumableTransport: api must be the URL of the chat routes.')
  }
  return new Transport(options)
}

export {
  S2AuthError,
  S2ConflictError,
  S2Error,
  S2RequestError,
  S2StreamError,
  S2UnavailableError,
  type S2ErrorDetails,
} from '../errors.js'
export { DEFAULT_TIMING, type Timing } from '../timing.js'
export type {
  ReconnectOptions,
  RequestOptions,
  Resolvable,
  ResumableTransport,
  ResumableTransportOptions,
  SendOptions,
  TransportState,
  TransportStatus,
} from './types.js'
