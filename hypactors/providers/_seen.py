"""Which of a session's messages were there before, in a few bytes each."""

from __future__ import annotations

from array import array

# Up to here a set is quicker, and small enough: some 13 MB.
_SET_IDS = 150_000
_LEAST_SLOTS = 1 << 19
_MASK = (1 << 64) - 1


class SeenIds:
    """A set of text that keeps 64 bits of each: a session may have a million messages.

    Beyond what a set may hold they lie in one array, probed from the place that the bits name; a
    set of Python's takes five times as much.
    """

    def __init__(self) -> None:
        self._few: set[int] = set()
        self._slots = array("Q")
        self._count = 0

    def add(self, text: str) -> bool:
        """Add ``text`` and say whether it was not there."""
        bits = hash(text) & _MASK or 1  # an empty slot is 0
        if not self._slots:
            if bits in self._few:
                return False
            self._few.add(bits)
            if len(self._few) > _SET_IDS:
                self._move(self._few, _LEAST_SLOTS)
                self._few = set()
            return True
        if not self._put(bits):
            return False
        if 2 * self._count > len(self._slots):
            self._move(self._slots, 2 * len(self._slots))
        return True

    def _move(self, all_bits: set[int] | array[int], slots: int) -> None:
        self._slots = array("Q", bytes(8 * slots))
        self._count = 0
        for bits in all_bits:
            if bits:
                self._put(bits)

    def _put(self, bits: int) -> bool:
        slots, mask = self._slots, len(self._slots) - 1
        place = bits & mask
        while slots[place]:
            if slots[place] == bits:
                return False
            place = (place + 1) & mask
        slots[place] = bits
        self._count += 1
        return True
