"""What is said for each error of the SDK, and whether the append may have landed."""

from __future__ import annotations

import pytest
import s2_sdk

from resumable_chat.errors import (
    AppendOutcomeUnknown,
    FencingTokenMismatch,
    LogError,
    LogRequestRefused,
    LogUnavailable,
    SeqNumMismatch,
)
from resumable_chat.log.s2.errors import Basin, caused_by, translate

BASIN = Basin("my-basin", "https://my-basin.example")


@pytest.mark.parametrize("appending", [True, False])
@pytest.mark.parametrize(
    ("status", "code", "kind", "says"),
    [
        (401, "unauthorized", LogUnavailable, "S2_ACCESS_TOKEN"),
        (403, "forbidden", LogUnavailable, "'my-basin'"),
        (404, "stream_not_found", LogUnavailable, "create_stream_on_append"),
        (404, "basin_not_found", LogUnavailable, "S2_BASIN"),
        (429, "rate_limited", LogUnavailable, "limits"),
        (400, "decryption_failed", LogError, "S2_ENCRYPTION_KEY"),
        (422, "invalid", LogRequestRefused, "because"),
        (418, "odd", LogRequestRefused, "418"),
    ],
)
def test_a_refusal_names_what_to_set(appending: bool, status: int, code: str, kind: type[LogError], says: str) -> None:
    """A request that was refused has not landed, and the text names the setting."""
    error = translate(s2_sdk.S2ServerError(code, "because", status), BASIN, appending=appending)
    assert type(error) is kind and says in str(error)


@pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 504, 599])
def test_a_failed_append_may_have_landed(status: int) -> None:
    """The same failure of a read is no more than unavailable."""
    error = s2_sdk.S2ServerError("broken", "because", status)
    assert type(translate(error, BASIN, appending=True)) is AppendOutcomeUnknown
    assert type(translate(error, BASIN, appending=False)) is LogUnavailable


def test_conditions_carry_what_holds() -> None:
    """The token and the number that the server expected."""
    token = translate(s2_sdk.FencingTokenMismatchError("c", "m", 412, "session-1"), BASIN, appending=True)
    number = translate(s2_sdk.SeqNumMismatchError("c", "m", 412, 7), BASIN, appending=True)
    assert isinstance(token, FencingTokenMismatch) and token.current == "session-1"
    assert isinstance(number, SeqNumMismatch) and number.current == 7


def test_only_a_connection_that_was_never_made_has_certainly_carried_nothing() -> None:
    """Any other error of the network leaves the outcome of an append unknown."""

    class ConnectError(s2_sdk.S2ClientError):
        pass

    broken, never = s2_sdk.S2ClientError("broken"), s2_sdk.S2ClientError("refused")
    never.__cause__ = ConnectError("refused")
    assert caused_by(never, "ConnectError") and not caused_by(broken, "ConnectError")
    assert type(translate(never, BASIN, appending=True)) is LogUnavailable
    assert type(translate(broken, BASIN, appending=True)) is AppendOutcomeUnknown
    assert "https://my-basin.example" in str(translate(broken, BASIN, appending=False))
