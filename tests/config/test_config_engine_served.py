"""What is asked of a served document before it may be tried: config-control §4, rows 6 to 9."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hypactors.config import (
    CATALOGUE,
    InstallFailure,
    check_pins,
    parse_document,
    read_control_state,
)
from tests.faults.machine import BAD, Machine, document, validate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypactors.config import ConfigDocument, ShapeError


class Checks:
    """Records which check was asked, and answers as told."""

    def __init__(self, failure: InstallFailure | None = None) -> None:
        self.asked: list[str] = []
        self.failure = failure

    def install(self, _document: ConfigDocument) -> InstallFailure | None:
        self.asked.append("install")
        return self.failure

    def validate(self, parsed: ConfigDocument) -> Sequence[ShapeError]:
        self.asked.append("validate")
        return validate(parsed)

    def on(self, machine: Machine) -> Checks:
        machine.engine.attach(validate=self.validate, install=self.install)
        return self


def test_install_comes_before_validation_and_shape_before_both(machine: Machine) -> None:
    """config-control 17."""
    checks = Checks().on(machine)
    result = machine.engine.stage(b'{"version": 2, "mode": "x"}', "E0")
    assert result.message.startswith("/mode: ")
    assert checks.asked == []
    machine.engine.stage(document("E1"), "E1")
    assert checks.asked == ["install", "validate"]


def test_a_bad_etag_is_not_looked_at_again(machine: Machine) -> None:
    """config-control 18."""
    machine.poll(BAD)
    checks = Checks().on(machine)
    assert machine.engine.stage(document(BAD), BAD).action == "skipped_bad_etag"
    assert checks.asked == []
    assert machine.engine.stage(document("E1"), "E1").action == "applied"


@pytest.mark.parametrize(
    "kind", ["artifact_hash_mismatch", "bundled_version_mismatch", "plugin_install_failed"]
)
def test_an_install_failure_is_the_reason_of_the_ban(machine: Machine, kind: str) -> None:
    """config-control 19 and 24."""
    checks = Checks(InstallFailure(kind, "no")).on(machine)  # type: ignore[arg-type]
    result = machine.engine.stage(document("E1"), "E1")
    assert (result.error_kind, result.message) == (kind, "no")
    assert checks.asked == ["install"]
    [ban] = read_control_state(machine.home).bad_etags
    assert (ban.etag, ban.reason, ban.retry_after) == ("E1", kind, None)
    assert machine.restarts == []


def pinned(**pins: object) -> ConfigDocument:
    return parse_document(json.dumps({"version": 2, "plugins": [pins]}).encode())


@pytest.mark.parametrize(
    ("pins", "kind"),
    [
        ({"version": "9.9.9"}, "bundled_version_mismatch"),
        ({"version": "2.0.0", "artifact_hash": "garbage"}, None),
        ({}, None),
        ({"name": "other", "enabled": False, "source": "https://nowhere.invalid"}, None),
        ({"name": "other", "source": "https://nowhere.invalid"}, "plugin_install_failed"),
        ({"name": "other", "version": "1.0.0"}, "plugin_install_failed"),
        # Nobody pins it: that it is not known is for the validation to say.
        ({"name": "other"}, None),
    ],
)
def test_pins_are_held_against_what_is_here(pins: dict[str, object], kind: str | None) -> None:
    """config-control 23, contract §2."""
    failure = check_pins(pinned(**{"name": "@hypaware/claude", **pins}), CATALOGUE)
    assert (failure.kind if failure else None) == kind
    if kind == "bundled_version_mismatch":
        assert failure is not None
        assert "9.9.9" in failure.message
        assert "2.0.0" in failure.message


def test_the_catalogue_is_asked_after_the_install(machine: Machine) -> None:
    """config-control 24: what was installed counts for the validation that follows."""
    installed: set[str] = set()

    def install(_document: ConfigDocument) -> None:
        installed.add("p")

    def known(parsed: ConfigDocument) -> Sequence[ShapeError]:
        return [] if "p" in installed else validate(parsed)

    machine.engine.attach(validate=known, install=install)
    assert machine.engine.stage(document(BAD), BAD).action == "applied"


def test_a_document_that_is_too_large_is_not_remembered(machine: Machine) -> None:
    """config-control 20: the size is that of the layout, and comes before the shape."""
    checks = Checks().on(machine)
    text = "é" * (1024 * 1024 // 2)
    raw = json.dumps({"unknown": text}).encode()
    result = machine.engine.stage(raw, "E1")
    assert result.error_kind == "document_too_large"
    assert checks.asked == []
    assert read_control_state(machine.home).bad_etag is None


def test_just_below_the_limit_is_taken_however_it_was_escaped(machine: Machine) -> None:
    """config-control §8: six bytes of an escape are two in the slot."""
    sinks = json.loads(document("E1"))["sinks"]
    raw = json.dumps({"version": 2, "sinks": sinks, "disambiguate": {"x": "é" * 520_000}})
    assert len(raw) > 3_000_000
    assert machine.engine.stage(raw.encode(), "E1").action == "applied"


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"NaN", b'{"version": NaN}', b'{"x": "\\ud800"}', b"\xff", b"[" * 100_000],
)
def test_what_is_no_json_is_an_ordinary_failure(machine: Machine, raw: bytes) -> None:
    """config-control §8."""
    result = machine.engine.stage(raw, "E1")
    assert result.error_kind == "config_invalid"
    assert result.message.startswith("<root>: is not JSON")
    assert machine.engine.stage(raw, "E1").action == "skipped_bad_etag"


def test_the_slot_has_the_served_document_laid_out(machine: Machine) -> None:
    """config-control §1.1 and §8: unknown nested fields and non-ASCII text stay as served."""
    raw = document("E1")[:-1] + b', "disambiguate": {"\\u00e9": "p", "x": "q"}, "plugins": '
    raw += b'[{"name": "p", "future": {"a": [1, 30.0]}}]}'
    assert machine.engine.stage(raw, "E1").action == "applied"
    text = machine.home.slot_file("b").read_text()
    assert text == json.dumps(json.loads(raw), indent=2, ensure_ascii=False) + "\n"
