"""What a model source raises."""

from __future__ import annotations

from ..errors import ChatError


class SourceError(ChatError):
    """A model source failed: its server answered with an error, its stream broke off, or it yielded no chunks.

    The text is for the operator's log. Clients see what ``on_error`` makes of it.
    """
