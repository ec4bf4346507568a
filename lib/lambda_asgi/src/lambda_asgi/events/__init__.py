"""Events of API Gateway, function URLs and load balancers: to ASGI scopes, and answers back."""

from .http import HttpEvent
from .prelude import RawHeaders, prelude

__all__ = ["HttpEvent", "RawHeaders", "prelude"]
