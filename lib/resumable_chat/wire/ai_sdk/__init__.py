"""The AI SDK's wire format: the log's chunks as UI message chunks, and UIMessages in both directions.

``answer`` translates one run, ``message`` and ``calls`` keep what the client knows of it, ``replayed`` rebuilds a
message that a run continues, ``history`` and ``parts`` make UIMessages, ``inbound`` and ``submission`` read them, and
``stream`` puts it into bytes.
"""

from .stream import AnswerStream, History
from .submission import REGENERATE, SUBMIT, Submission, read_submission

__all__ = ["REGENERATE", "SUBMIT", "AnswerStream", "History", "Submission", "read_submission"]
