"""For tests of functions: Lambda on this machine, with freezing, scaling, streaming, time-outs and crashes."""

from .environment import Environment, State
from .function import Function
from .host import Authorizer, LambdaHost, Route
from .invocations import Invocation, InvocationFailed

__all__ = ["Authorizer", "Environment", "Function", "Invocation", "InvocationFailed", "LambdaHost", "Route", "State"]
