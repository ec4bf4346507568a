"""What the chat's routes need of the process that serves them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from starlette.requests import Request

from ..settings import Delivery, Mode
from .background import WaitUntil
from .chat import ResumableChat

if TYPE_CHECKING:
    from ..sources.port import Source


class Host(ABC):
    """One process that serves chats: its chat object, its model, and the limits of its platform."""

    mode: Mode
    delivery: Delivery

    @property
    @abstractmethod
    def chat(self) -> ResumableChat:
        """The chats of this process."""

    @property
    @abstractmethod
    def source(self) -> Source:
        """The model that answers."""

    @abstractmethod
    def stream(self, request: Request, chat_id: str) -> str:
        """Return the stream that holds this caller's chat. Raises BadRequest (401, 403)."""

    @abstractmethod
    def wait_until(self, request: Request) -> WaitUntil | None:
        """Return how work may go on behind the response; None where the response has to wait for it."""

    def deadline(self, request: Request, *, behind: bool = False) -> float | None:
        """Return the loop time at which the platform ends the invocation, or the work ``behind`` its response."""
        return None

    def live(self, request: Request) -> bool:
        """Return whether bytes reach the reader as they are written; otherwise a replay ends with what is there."""
        return True
