"""Numbers and times as words."""

from __future__ import annotations


def short(number: int) -> str:
    """Return a number in three figures.

    >>> [short(n) for n in (0, 999, 1234, 45_600_000, 999_960, 4_554_120_685)]
    ['0', '999', '1.23 k', '45.6 M', '1.00 M', '4.55 B']
    """
    value, unit = float(number), ""
    for larger in ("k", "M", "B", "T"):
        if abs(value) < 999.5:  # noqa: PLR2004 - what would be shown as 1000
            break
        value, unit = value / 1000, f" {larger}"
    if not unit:
        return str(number)
    decimals = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0  # noqa: PLR2004
    return f"{value:.{decimals}f}{unit}"


def many(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> many(1, "session"), many(2000, "repository")
    ('1 session', '2,000 repositories')
    """
    if number == 1:
        return f"1 {noun}"
    nouns = f"{noun.removesuffix('y')}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {nouns}"


def minute(moment: str) -> str:
    """Return an ISO time in UTC to the minute.

    >>> minute("2026-11-01T08:00:00.005Z")
    '2026-11-01 08:00 UTC'
    """
    return f"{moment[:10]} {moment[11:16]} UTC"
