"""The thread in which our own Ray is started and ended: Linux kills Ray's processes when the thread that started them
ends, so that they never outlive this process; and it must not end before them."""

from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread


class Home:
    """Does what it is asked, one thing after another, in a thread that lives as long as this process."""

    def __init__(self) -> None:
        self._asked: SimpleQueue[tuple[Callable[[], None], Future[None]]] = SimpleQueue()
        Thread(target=self._serve, name="distsearch-ray", daemon=True).start()

    def do(self, action: Callable[[], None]) -> "Future[None]":
        """Do it as soon as what was asked before is done."""
        done: Future[None] = Future()
        self._asked.put((action, done))
        return done

    def _serve(self) -> None:
        while True:
            action, done = self._asked.get()
            try:
                action()
            except BaseException as error:  # noqa: BLE001  (whoever asked is told)
                done.set_exception(error)
            else:
                done.set_result(None)
