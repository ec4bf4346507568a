export { createS2Connection } from './connection.js'
export {
  S2AuthError,
  S2ConflictError,
  S2Error,
  S2RequestError,
  S2StreamError,
  S2UnavailableError,
  type S2ErrorDetails,
} from './errors.js'
export { runOutcome, type RunOutcome } from './outcome.js'
export { DEFAULT_TIMING, type Timing } from './timing.js'
export type {
  BodyOption,
  HeadersOption,
  Messages,
  RunContext,
  S2ConnectConnection,
  S2Connection,
  S2ConnectionExtras,
  S2ConnectionFor,
  S2ConnectionMode,
  S2ConnectionOptions,
  S2ConnectionState,
  S2ConnectionStatus,
  S2SubscribeConnection,
  StreamChunk,
  UIMessage,
  UrlOption,
} from './types.js'
