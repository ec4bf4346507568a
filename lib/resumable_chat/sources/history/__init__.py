"""The conversation in the form that a model, or an agent framework, takes. All functions are pure.

Messages are UIMessages with ``parts``, or AG-UI rows with ``content``, ``toolCalls`` and ``toolCallId``. One set of
rules holds for every form (``rounds``): results belong to the call of the message that made it, a call without a
result says why it has none, and what a model cannot take is replaced by a short note.
"""

from .ag_ui import run_input, to_ag_ui
from .model_messages import to_model_messages
from .openai import to_openai

__all__ = ["run_input", "to_ag_ui", "to_model_messages", "to_openai"]
