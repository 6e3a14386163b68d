"""The guide as a site: the README as its first page, the guide's pages, and the API from the docstrings."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from distsearch.cli.guide import COMMENTS, PAGE, pages_in_order

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "distsearch" / "guide"
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)]+)\)")
TITLE = "distsearch"
API = """# API

::: distsearch
    options:
      members: [search, minimize, load, Optimizer]

::: distsearch.api.results
    options:
      members: [SearchResult, FunctionResult]
"""
SETTINGS = """site_name: distsearch
site_description: Train neural networks without gradients, on every core and every machine you have.
docs_dir: pages
use_directory_urls: false
theme:
  name: material
  font: false
  features: [navigation.footer, content.code.copy, toc.follow]
  palette:
    - media: "(prefers-color-scheme: light)"
      scheme: default
      toggle: {icon: material/weather-night, name: Dark}
    - media: "(prefers-color-scheme: dark)"
      scheme: slate
      toggle: {icon: material/weather-sunny, name: Light}
plugins:
  - offline
  - search
  - mkdocstrings:
      handlers:
        python:
          options: {show_source: false, show_root_heading: true, heading_level: 2, show_signature_annotations: true}
markdown_extensions: [admonition, tables, pymdownx.superfences, pymdownx.highlight, toc]
validation: {links: {anchors: warn}}
nav:
"""


def main() -> None:
    into = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory(prefix="distsearch-site-") as folder:
        sources = Path(folder)
        write(sources)
        command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--clean", "--site-dir", str(into)]
        environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
        built = subprocess.run(command, cwd=sources, env=environment, check=False)
    if built.returncode:
        sys.exit("the site was not built: see the warnings above")
    print(f"the site is in {into}: open {into / 'index.html'}")


def write(sources: Path) -> None:
    """Write the pages and the settings of the site."""
    pages = sources / "pages"
    pages.mkdir()
    (pages / "index.md").write_text(_page(ROOT / "README.md", pages), encoding="utf-8")
    (pages / "api.md").write_text(API, encoding="utf-8")
    names = [f"{name}{PAGE}" for name in pages_in_order()]
    for name in names:
        (pages / name).write_text(_page(GUIDE / name, pages), encoding="utf-8")
    nav = "".join(f"  - {name}\n" for name in ["index.md", *names, "api.md"])
    (sources / "mkdocs.yml").write_text(SETTINGS + nav, encoding="utf-8")


def _page(source: Path, pages: Path) -> str:
    """A page whose links lead to pages of the site, or to pictures, which are copied; others become plain text."""

    def link(found: re.Match[str]) -> str:
        picture, text, target = found.groups()
        if target.startswith(("http://", "https://", "#")):
            return found.group()
        path, mark, anchor = target.partition("#")
        place = (source.parent / path).resolve()
        if place.parent == GUIDE and place.suffix == PAGE:
            return f"[{text}]({place.name}{mark}{anchor})"
        if place == ROOT / "README.md":
            return f"[{text}](index.md)"
        if not place.is_file():
            sys.exit(f"{source}: the link {target} leads nowhere")
        if picture:
            shutil.copyfile(place, pages / place.name)
            return f"![{text}]({place.name})"
        return text

    return LINK.sub(link, COMMENTS.sub("", source.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
