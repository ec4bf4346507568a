"""The transcript: chunks folded into messages, exactly as the browser folds them."""

from .processor import Refused, StreamProcessor

__all__ = ["Refused", "StreamProcessor"]
