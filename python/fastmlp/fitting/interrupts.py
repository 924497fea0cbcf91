"""Ctrl-C while ranks pass messages."""

import signal
import threading
import time
from collections.abc import Callable
from typing import Final

_SPINS, _YIELDS = 50, 100
_LONGEST_PAUSE: Final = 1e-3
_PATIENCE: Final = 10.0
"""Seconds: ranks in the middle of an epoch end with the same step if they can."""
_LATE: Final = 60.0
"""Seconds after which a rank that waits warns of it."""


class Interrupts:
    """Ctrl-C during a fit of several ranks: it must not come between two messages of a meeting."""

    def __init__(self) -> None:
        self._times = 0
        self._is_held = False

    @property
    def came(self) -> bool:
        """Whether there was one."""
        return self._times > 0

    def hold(self) -> None:
        """From now on remember it, unless the program handles it in its own way."""
        in_main = threading.current_thread() is threading.main_thread()
        if in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._note)
            self._is_held = True

    def release(self) -> None:
        """Let Python handle it again."""
        if self._is_held:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._is_held = False

    def wait(self, is_done: Callable[[], bool], on_late: Callable[[], None]) -> bool:
        """Wait for other ranks, and soon give up the core to them; call `on_late` if it takes long.

        Returns whether it is done: not if they do not come for a while after a Ctrl-C, or until a
        second one.
        """
        for _ in range(_SPINS):
            if is_done():
                return True
        pauses, times, until = 0, self._times, float("inf")
        late = time.monotonic() + _LATE
        while not is_done():
            if time.monotonic() > late:
                late = float("inf")
                on_late()
            if self.came and until == float("inf"):
                until = time.monotonic() + _PATIENCE
            if self._times > max(times, 1) or time.monotonic() > until:
                return False
            time.sleep(min(_LONGEST_PAUSE, max(0, pauses - _YIELDS) * 1e-5))
            pauses += 1
        return True

    def _note(self, *_: object) -> None:
        self._times += 1
