"""How much of the cases that are under way may be in memory at once."""

from __future__ import annotations

from threading import Condition


class ByteBudget:
    """Cases are let in in their order, each as soon as it fits; one that is larger than everything comes alone.

    Args:
        limit: bytes that cases may take together.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._cases = 0
        self._next = 0
        self._closed = False
        self._changed = Condition()

    def take(self, number: int, count: int) -> bool:
        """Wait until case ``number`` (counted from 0, every number is asked for once) may take ``count`` bytes.

        Returns:
            False if the budget was closed meanwhile.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or (self._next == number and self._fits(count)))
            if self._closed:
                return False
            self.used += count
            self._cases += 1
            self._next += 1
            self._changed.notify_all()
            return True

    def give_back(self, count: int) -> None:
        """A case that took ``count`` bytes is gone."""
        with self._changed:
            self.used -= count
            self._cases -= 1
            self._changed.notify_all()

    def close(self) -> None:
        """Let nobody wait any longer."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _fits(self, count: int) -> bool:
        return self._cases == 0 or self.used + count <= self.limit
