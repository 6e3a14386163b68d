"""The guide, page by page, in the terminal."""

import os
import re
import shlex
import shutil
import sys
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated

import typer

from distsearch.cli.output import new_console, print_text
from distsearch.errors import UserError, unknown

PAGE = ".md"
FIRST = (
    *("tutorial", "chapter", "strategies", "tables", "metrics", "see", "networks", "modules"),
    *("fine-tuning", "gpu"),
    *("library", "environments", "estimators", "tracking", "export", "commands", "runs", "same-bits"),
    *("cluster", "storage", "plugins", "troubleshooting", "figures", "inside", "changelog"),
)  # as a learner reads them; then others, by name
COMMENTS = re.compile(r"<!--.*?-->\n?", re.DOTALL)  # for the tests of the guide
LESS = "FRX"  # what git asks of the pager: to show colours, and no more than there is
WIDEST = 100  # characters; longer lines are hard to read


def guide(
    topic: Annotated[
        str,
        typer.Argument(
            metavar="TOPIC",
            help="Page to read; without it, all pages are listed.",
            autocompletion=lambda: list(pages_in_order()),
        ),
    ] = "",
) -> None:
    """Read the guide."""
    pages = pages_in_order()
    if not topic:
        width = max(map(len, pages))
        print_text("".join(f"{name:<{width}}  {_title(page)}\n" for name, page in pages.items()))
        return
    page = pages.get(topic.removesuffix(PAGE).lower())
    if page is None:
        raise UserError(unknown("page of the guide", topic, pages, everywhere="`distsearch guide` lists all"))
    _show(COMMENTS.sub("", page.read_text(encoding="utf-8")))


def pages_in_order() -> dict[str, Traversable]:
    """The pages by their names, in the order in which they are listed."""
    found = {page.name.removesuffix(PAGE): page for page in (files("distsearch") / "guide").iterdir()}
    found = {name: page for name, page in found.items() if page.name.endswith(PAGE)}
    others = sorted(found.keys() - set(FIRST))
    return {name: found[name] for name in (*(name for name in FIRST if name in found), *others)}


def _title(page: Traversable) -> str:
    return page.read_text(encoding="utf-8").split("\n", 1)[0].lstrip("# ")


def _show(text: str) -> None:
    """In a pager on a terminal; as it is written otherwise."""
    if not sys.stdout.isatty():
        print_text(text)
        return
    from rich.markdown import Markdown

    options = os.environ.setdefault("LESS", LESS)
    _keep_options(options)
    console = new_console()
    console.width = min(console.width, WIDEST)
    with console.pager(styles="r" in options.lower()):
        console.print(Markdown(text))


def _keep_options(options: str) -> None:
    """Let the pager have these options of `less`: from Python 3.13 on, `pydoc` would give it others."""
    if os.name != "posix":
        return
    name = "MANPAGER" if os.environ.get("MANPAGER") else "PAGER"  # as pydoc looks for it
    if pager := os.environ.get(name) or shutil.which("less"):
        os.environ[name] = f"export LESS={shlex.quote(options)}; {pager}"
