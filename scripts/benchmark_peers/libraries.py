"""How the pictures and tables of the race call the libraries, and the colour of each in all of them."""

COLOURS = {
    "distsearch": "#c1121f",
    "evosax": "#1d4e89",
    "evotorch": "#1f8578",
    "cma": "#8338ec",
    "pygad": "#b5651d",
    "with gradients": "#767676",
}
DARK_COLOURS = {
    "distsearch": "#ff6b6b",
    "evosax": "#6cb0f5",
    "evotorch": "#4fd1c0",
    "cma": "#b892ff",
    "pygad": "#e0a15e",
    "with gradients": "#9a9a9a",
}
DARK = {COLOURS[library]: dark for library, dark in DARK_COLOURS.items()}
WORKERS = ", 2 workers"
_SPOKEN = {"evotorch": "EvoTorch", "cma": "pycma", "pygad": "PyGAD"}


def library_of(who: str) -> str:
    """The library of an entry, whose name begins with it; all that follow gradients are one."""
    return "with gradients" if "backpropagation" in who else who.partition(" ")[0]


def spoken(library: str) -> str:
    """A library's name as its authors write it."""
    return _SPOKEN.get(library, library)


def label_of(who: str) -> str:
    """Library and algorithm of an entry."""
    name, _, rest = who.replace(", in process", "").replace(WORKERS, "").partition(" ")
    return f"{spoken(name)} {rest}"


def algorithm_of(who: str) -> str:
    """What stands beside a line whose colour says the library: the algorithm."""
    name, _, rest = who.replace(", in process", "").partition(" ")
    return name.rstrip(",") if "backpropagation" in who else rest
