"""The transcript: chunks folded into messages, exactly as the browser folds them."""

from ..protocol.merge import can_merge, merge_deltas, merge_run
from .processor import StreamProcessor

__all__ = ["StreamProcessor", "can_merge", "merge_deltas", "merge_run"]
