"""The text of a block, without what nobody searches in (import §6.4)."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypactors.providers._blocks import part_of


def text_of(text: str, kind: str = "text") -> str | None:
    key = {"tool_result": "content", "thinking": "thinking"}.get(kind, "text")
    return part_of({"type": kind, key: text}).content_text


MEDIA = st.text("abcz/+.;=-", max_size=255).filter(lambda text: ";base64" not in text)
AROUND = st.text("xyz ,.!\n", max_size=5)


@settings(max_examples=200)
@given(AROUND, MEDIA, st.binary(min_size=1), AROUND, st.booleans())
def test_a_payload_is_taken_out_and_nothing_else(
    before: str,
    media: str,
    payload: bytes,
    after: str,
    is_for_urls: bool,  # noqa: FBT001
) -> None:
    encode = base64.urlsafe_b64encode if is_for_urls else base64.b64encode
    # What follows is told apart by a sign that no payload has.
    text = f"{before}data:{media};base64,{encode(payload).decode()}!{after}"

    kept = f"{before}data:{media or 'application/octet-stream'};base64,<stripped>!{after}"
    assert text_of(text) == text_of(text, "tool_result") == text_of(text, "thinking") == kept
    assert text_of(kept) == kept


@given(st.text())
def test_a_text_without_a_payload_stays(text: str) -> None:
    if ";base64," not in text:
        assert text_of(text) == (text or None)


@pytest.mark.parametrize(
    "text",
    [
        "data:a b;base64,AAAA",
        "data:a,b;base64,AAAA",
        "data:" + "m" * 256 + ";base64,AAAA",
        "data:image/png;base64,",
        "data:image/png;base64,<stripped>",
        "date:image/png;base64,AAAA",
    ],
)
def test_what_is_no_data_url_stays(text: str) -> None:
    assert text_of(text) == text


def test_every_payload_of_a_text_is_taken_out() -> None:
    urls = ["data:image/png;base64,AAAA", "data:;base64,BBBB"]
    assert text_of(" and ".join(urls)) == (
        "data:image/png;base64,<stripped> and data:application/octet-stream;base64,<stripped>"
    )


@pytest.mark.parametrize("kind", ["text", "thinking", "tool_use", "tool_result", "image", "new"])
@pytest.mark.parametrize(("given", "kept"), [(True, True), (False, None), (1, None), ("yes", None)])
def test_an_error_is_true_or_nothing_on_any_block(kind: str, given: Any, kept: Any) -> None:
    assert part_of({"type": kind, "is_error": given}).is_error is kept
    assert part_of({"type": kind}).is_error is None
