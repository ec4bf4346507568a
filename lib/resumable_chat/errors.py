"""Everything this library raises.

* ChatError
  * LogError: the log refused or could not be reached
    * AppendConditionFailed
      * FencingTokenMismatch: another writer holds the stream; carries the current token
      * SeqNumMismatch: the tail moved; carries the next sequence number
    * RecordTooLarge: a batch over the limits of ``protocol.limits``
    * LogRequestRefused: a call that no log can carry out, for example with a stream name that is too long
    * LogUnavailable: the log cannot be reached, is locked, or is full; trying again later may work
      * AppendOutcomeUnknown: the append may have landed; retry it under the same ``match_seq_num``
  * Overloaded: this process serves as many readers as it can
  * ConfigurationError: the settings do not describe one log
  * BadRequest: what the caller sent cannot be used; carries the HTTP status
    * StreamInUse: another generation is running (409); no longer raised
"""

from __future__ import annotations


class ChatError(Exception):
    """Base class of every error raised on purpose by this library."""


class LogError(ChatError):
    """The log refused an operation or could not carry it out."""


class AppendConditionFailed(LogError):
    """A conditional append was refused; nothing was written."""


class FencingTokenMismatch(AppendConditionFailed):
    """The stream's fencing token is not the one the append named.

    ``current`` is the token in force, ``""`` when the stream was never fenced.
    """

    def __init__(self, current: str) -> None:
        super().__init__(f"the stream is fenced with {current!r}")
        self.current = current


class SeqNumMismatch(AppendConditionFailed):
    """The next sequence number is not the one the append named; ``current`` is the next one."""

    def __init__(self, current: int) -> None:
        super().__init__(f"the next sequence number is {current}")
        self.current = current


class RecordTooLarge(LogError):
    """A batch is over the limits in ``resumable_chat.protocol.limits``; nothing was written."""


class LogRequestRefused(LogError):
    """The call itself is wrong, and would fail again. Nothing was written; the message says what to change."""


class LogUnavailable(LogError):
    """The log cannot be reached or cannot accept writes now. The message says what to do."""


class AppendOutcomeUnknown(LogUnavailable):
    """The append may or may not have landed. A retry under the same ``match_seq_num`` lands it once."""


class Overloaded(ChatError):
    """This process serves as many readers as it can. Another try soon, or another process, may have room."""

    def __init__(self) -> None:
        super().__init__("This server has as many readers as it can serve. Try again in a moment.")


class ConfigurationError(ChatError):
    """The settings are incomplete or contradict each other. The message names the variable to set."""


class BadRequest(ChatError):
    """What the caller sent cannot be used. ``status`` is the HTTP status; the text is safe to show.

    ``retry_after`` is the number of seconds after which the same request may be taken.
    """

    def __init__(self, status: int, detail: str, *, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.retry_after = retry_after


class StreamInUse(BadRequest):
    """A generation is running in this chat. No longer raised: sends return it as a value. Kept for old imports."""

    def __init__(self) -> None:
        super().__init__(409, "Stream already in use: an answer is still being written. Wait for it, or stop it.")
