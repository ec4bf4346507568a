"""Attachments are passed on where the model's protocol has a form for them, and else replaced by a note."""

from __future__ import annotations

from typing import Any

import pytest

from resumable_chat.sources.history import to_openai


def attached(kind: str, mime: str | None, value: str = "QUJD", *, url: bool = False, **more: Any) -> Any:
    source = {"type": "url" if url else "data", "value": value, "mimeType": mime}
    part = {"type": kind, "source": source, **more}
    [row] = to_openai([{"role": "user", "parts": [{"type": "text", "content": "see "}, part]}])
    return row["content"]


@pytest.mark.parametrize("mime", ["audio/mpeg", "audio/mp3", "AUDIO/MPEG", "audio/mpeg; codecs=mp3", "audio/x-mpeg"])
def test_mpeg_audio_is_mp3(mime: str) -> None:
    """The protocol's name for it."""
    assert attached("audio", mime)[1] == {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "mp3"}}


@pytest.mark.parametrize("mime", ["audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"])
def test_wave_audio_is_wav(mime: str) -> None:
    """Under any of its names."""
    assert attached("audio", mime)[1]["input_audio"]["format"] == "wav"


@pytest.mark.parametrize(
    ("kind", "mime"),
    [
        ("audio", "audio/ogg"),
        ("audio", "audio/flac"),
        ("video", "video/mp4"),
        ("image", "image/svg+xml"),
        ("image", "image/heic"),
        ("document", "application/zip"),
        ("document", "application/vnd.ms-excel"),
        ("document", None),
    ],
)
def test_what_the_model_cannot_take_is_a_note(kind: str, mime: str | None) -> None:
    """Short, with its kind and type, never silently nothing."""
    content = attached(kind, mime)
    assert isinstance(content, str) and kind in content and (mime or "octet-stream") in content and len(content) < 200


@pytest.mark.parametrize("kind", ["audio", "video", "document"])
def test_a_url_that_the_protocol_has_no_form_for_is_in_the_note(kind: str) -> None:
    """A tool may fetch it."""
    assert "https://x/y" in attached(kind, None, "https://x/y", url=True)


@pytest.mark.parametrize(
    ("mime", "value", "said"),
    [("text/plain", "aGVsbG8=", "hello"), ("text/csv", "YSxi", "a,b"), ("application/json", "e30=", "{}")],
)
def test_a_text_document_is_read(mime: str, value: str, said: str) -> None:
    """The protocol takes PDF only."""
    assert attached("document", mime, value) == f"see {said}"


def test_base64_that_is_none_is_a_note() -> None:
    """Instead of a refusal that would come with every later message."""
    assert "cannot read" in attached("document", "text/plain", "%%%")


def test_a_pdf_keeps_its_name() -> None:
    """From wherever a client put it."""
    for more in ({"metadata": {"filename": "a.pdf"}}, {"name": "a.pdf"}):
        assert attached("document", "application/pdf", **more)[1]["file"]["filename"] == "a.pdf"


def test_a_data_url_is_data() -> None:
    """Some clients put one where a URL belongs."""
    [_, image] = attached("image", None, "data:image/gif;base64,QUJD", url=True)
    assert image == {"type": "image_url", "image_url": {"url": "data:image/gif;base64,QUJD"}}
