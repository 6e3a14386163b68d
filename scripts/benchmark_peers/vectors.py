"""Elements of an SVG picture, as both of the races' pictures are made of them."""

from collections.abc import Mapping
from types import MappingProxyType
from xml.etree import ElementTree

INK, SOFT, GRID, PAPER = "#222222", "#5c5c5c", "#e4e4e4", "#ffffff"
DARK = {INK: "#e6edf3", SOFT: "#9da7b3", GRID: "#2b323b", PAPER: "#0d1117"}  # each colour on a dark page
PAINTS = ("fill", "stroke")
FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"


def drawing(
    width: float, height: float, title: str, font_size: str, dark: Mapping[str, str] = MappingProxyType({})
) -> ElementTree.Element:
    """An empty picture, whose title is read out; on a dark page it is dark, and each colour there is another's."""
    box = {"viewBox": f"0 0 {width:g} {height:g}", "width": f"{width:g}", "height": f"{height:g}"}
    root = ElementTree.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", **box, "font-family": FONT})
    root.set("font-size", font_size)
    ElementTree.SubElement(root, "title").text = title
    rules = [f"[{what}='{here}']{{{what}:{there}}}" for here, there in {**DARK, **dark}.items() for what in PAINTS]
    ElementTree.SubElement(root, "style").text = f"@media (prefers-color-scheme: dark) {{{' '.join(rules)}}}"
    add(root, "rect", x=0, y=0, width=width, height=height, rx=8, fill=PAPER)
    return root


def written(root: ElementTree.Element) -> str:
    """The picture as text."""
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def text(root: ElementTree.Element, x: float, y: float, words: str, fill: str = INK, **style: str) -> None:
    """Write words that begin at a place, in pixels from the left and the top."""
    add(root, "text", x=x, y=y, fill=fill, **style).text = words


def add(parent: ElementTree.Element, tag: str, **attributes: float | str) -> ElementTree.Element:
    """Add an element; underscores in the names of attributes are hyphens there."""
    texts = {
        name.replace("_", "-"): f"{value:.5g}" if isinstance(value, float) else str(value)
        for name, value in attributes.items()
    }
    return ElementTree.SubElement(parent, tag, texts)
