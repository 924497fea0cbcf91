"""Ctrl-C while ranks pass messages."""

import signal
import threading


class Interrupts:
    """Ctrl-C during a fit of several ranks: it must not come between two messages of a meeting."""

    def __init__(self) -> None:
        self.came = False
        self._is_held = False

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

    def _note(self, *_: object) -> None:
        self.came = True
