"""Where a module's code is, so that workers find it: they are told before the module itself is unpickled."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class Folders:
    """Folders from which Python imports. Where they are unpickled, it does from then on, after all others."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.paths = tuple(paths)
        sys.path += [path for path in self.paths if path not in sys.path and Path(path).is_dir()]

    def __reduce__(self) -> tuple[type["Folders"], tuple[tuple[str, ...]]]:
        return Folders, (self.paths,)

    @classmethod
    def of(cls, found: Iterable[Any]) -> "Folders":
        """Those that the classes of these objects, or functions, were imported from."""
        names = {getattr(each, "__module__", type(each).__module__).partition(".")[0] for each in found}
        files = {name: getattr(sys.modules.get(name), "__file__", None) for name in names - {"__main__"}}
        parents = {
            str(Path(file).resolve().parents[Path(file).name == "__init__.py"]) for file in files.values() if file
        }
        return cls(sorted(parents))
