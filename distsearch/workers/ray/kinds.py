"""What a run's processes compute with: bits are promised for one kind of processor, BLAS and NumPy."""

from collections.abc import Mapping

ALIKE = ("processor", "blas", "numpy")
"""What has to be the same for the bits to be the same."""
GPU = "device"
"""And this, where a GPU computes."""
PLACE = ("host", "node")


class MachineKinds:
    """The kinds of machine seen so far, each with the first place where it was found."""

    def __init__(self, driver: Mapping[str, str]) -> None:
        self._driver = driver
        self._seen: dict[tuple[str, ...], dict[str, str]] = {}
        self.alike = True  # whether all workers seen so far compute with what the driver does

    @property
    def seen(self) -> tuple[dict[str, str], ...]:
        """One of each kind of the workers', the first first."""
        return tuple(self._seen.values())

    def add(self, worker: Mapping[str, str]) -> str:
        """Note a worker. Returns a sentence if it is the first to differ from the driver or another, else nothing."""
        kind = _kind(worker)
        self._seen.setdefault(kind, {name: worker[name] for name in (*PLACE, *ALIKE, GPU) if name in worker})
        if not self.alike or kind == _kind(self._driver):
            return ""
        self.alike = False
        return (
            "the machines differ, and the last bits may depend on which of them computes: a worker on "
            f"{worker['host']} has {_text(worker)}, the driver on {self._driver['host']} {_text(self._driver)}"
        )


def _kind(machine: Mapping[str, str]) -> tuple[str, ...]:
    return *(machine[name] for name in ALIKE), machine.get(GPU, "")


def _text(machine: Mapping[str, str]) -> str:
    gpu = f", {machine[GPU]}" if GPU in machine else ""
    return f"{machine['processor']} with {machine['blas']}{gpu} and NumPy {machine['numpy']}"
