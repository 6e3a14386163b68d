"""How the pictures and tables of the race call the libraries, and the colour of each in all of them."""

COLOURS = {
    "distsearch": "#c1121f",
    "evosax": "#1d4e89",
    "evotorch": "#2a9d8f",
    "cma": "#8338ec",
    "pygad": "#b5651d",
    "with gradients": "#8a8a8a",
}
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
    """What stands beside a line whose colour says the library: the algorithm, with ×2 if on two workers."""
    name, _, rest = who.replace(", in process", "").replace(WORKERS, " ×2").partition(" ")
    return name.rstrip(",") if "backpropagation" in who else rest
