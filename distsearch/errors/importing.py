"""Packages that only some features need: imported there, with a sentence if that fails."""

from collections.abc import Iterator
from contextlib import contextmanager

from distsearch.errors import SettingError, UserError


@contextmanager
def importing(
    module: str, needing: str, *, package: str = "", extra: str = "", error: type[UserError] = SettingError
) -> Iterator[None]:
    """While entered, import `module`; a failure says what needs it, such as "reading a.png needs".

    `package` is its name for pip, and `extra` ours that has it, if they are not the module's. Raises `error`, which
    tells a package that is not there from one that is, but cannot be imported.
    """
    package = package or module
    wanted = f'"distsearch[{extra}]"' if extra else package
    try:
        yield
    except ModuleNotFoundError as failure:
        if failure.name != module:
            raise error(_broken(needing, package, wanted, failure)) from failure
        raise error(f"{needing} {package}, which is not installed; type pip install {wanted}") from None
    except Exception as failure:  # whatever a package does while it is imported
        raise error(_broken(needing, package, wanted, failure)) from failure


def _broken(needing: str, package: str, wanted: str, failure: Exception) -> str:
    lines = str(failure).strip().splitlines()
    reason = f"{type(failure).__name__}{': ' if lines else ''}{''.join(lines[-1:]).strip().rstrip('.')}"
    return (
        f"{needing} {package}, which is there, but cannot be imported ({reason}); type pip install --upgrade {wanted}"
    )
