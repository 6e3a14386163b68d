"""What every command prints and writes with; Rich is imported inside, so that --help is instant."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from distsearch.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

INTERRUPTED_EXIT_CODE = 130
PIPED_WIDTH = 120  # characters; nothing is cut that goes into a file


def write(path: Path, content: bytes) -> None:
    """Write a file that the user asked for. UserError if that cannot be."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None


def new_console(stderr: bool = False) -> "Console":
    """A console on stdout or stderr, wide where it is not a terminal."""
    from rich.console import Console

    console = Console(stderr=stderr)
    if not console.is_terminal:
        console.width = max(console.width, PIPED_WIDTH)
    return console


def say(sentence: str) -> None:
    """Print a sentence on stderr."""
    new_console(stderr=True).print(sentence, highlight=False, markup=False, soft_wrap=True)


def print_parts(*parts: "RenderableType") -> None:
    """Print texts and tables on stdout."""
    console = new_console()
    for part in parts:
        console.print(part, highlight=False)


def print_json(document: Any) -> None:
    """Print a document as strict JSON, alone on stdout."""
    import msgspec

    from distsearch.runs import documents

    print(msgspec.json.format(documents.encode(document)).decode())
