"""The log on S2 (https://s2.dev), through its official SDK."""

from .log import S2Log

__all__ = ["S2Log"]
