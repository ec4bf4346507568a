"""The port's errors for those of the SDK; each names the setting that an operator can change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import s2_sdk

from ...errors import (
    AppendOutcomeUnknown,
    FencingTokenMismatch,
    LogError,
    LogRequestRefused,
    LogUnavailable,
    SeqNumMismatch,
)

_RETRYABLE: Final = (408, 409)


@dataclass(frozen=True, slots=True)
class Basin:
    """A basin as errors name it."""

    name: str
    url: str


def translate(error: s2_sdk.S2Error, basin: Basin, *, appending: bool) -> LogError:
    """Return the port's error. ``appending`` says whether an outcome can be unknown."""
    if isinstance(error, s2_sdk.FencingTokenMismatchError):
        return FencingTokenMismatch(error.expected_fencing_token)
    if isinstance(error, s2_sdk.SeqNumMismatchError):
        return SeqNumMismatch(error.expected_seq_num)
    if isinstance(error, s2_sdk.S2ServerError):
        return _refusal(error, basin, appending)
    unknown = appending and not caused_by(error, "ConnectError")
    return (AppendOutcomeUnknown if unknown else LogUnavailable)(
        f"S2 cannot be reached at {basin.url}: {error}. Check the network, S2_ACCOUNT_ENDPOINT and S2_BASIN_ENDPOINT."
    )


def caused_by(error: BaseException, name: str) -> bool:
    """Whether an error of this class, which the SDK does not export, stands behind another."""
    cause: BaseException | None = error
    while cause is not None:
        if type(cause).__name__ == name:
            return True
        cause = cause.__cause__
    return False


def _refusal(error: s2_sdk.S2ServerError, basin: Basin, appending: bool) -> LogError:
    status, said = error.status_code, f"{error.status_code} {error.code}: {error.message}"
    if status in (401, 403):
        return LogUnavailable(
            f"S2 refused the access token ({said}). Set S2_ACCESS_TOKEN to one that may read and append "
            f"in the basin {basin.name!r}."
        )
    if status == 404 and "stream" in error.code:
        return LogUnavailable(
            f"The stream does not exist ({said}). Set create_stream_on_append and create_stream_on_read of the "
            f"basin {basin.name!r}."
        )
    if status == 404:
        return LogUnavailable(
            f"S2 does not know the basin {basin.name!r} ({said}). Set S2_BASIN to one that exists, "
            "and check S2_BASIN_ENDPOINT."
        )
    if status == 429:
        return LogUnavailable(f"S2 asks for patience ({said}). Send less at once, or raise the account's limits.")
    if status in _RETRYABLE or status >= 500:
        text = f"S2 failed ({said}). Try again."
        return AppendOutcomeUnknown(text) if appending else LogUnavailable(text)
    if error.code == "decryption_failed":
        return LogError(
            f"S2 cannot decrypt the stream ({said}). Set S2_ENCRYPTION_KEY to the key that it was written with."
        )
    if "encryption key" in error.message:
        return LogError(
            f"The streams of the basin {basin.name!r} are encrypted ({said}). "
            "Set S2_ENCRYPTION_KEY to their key, 32 bytes in base64."
        )
    return LogRequestRefused(f"S2 refused the request ({said}).")
