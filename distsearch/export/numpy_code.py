"""A Python file that predicts with NumPy alone: the forward pass written out, and the weights below it."""

import base64
from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray

from distsearch.export.pipeline import PROBABILITIES, Pipeline
from distsearch.export.raw_columns import INPUT, TEXT, Input
from distsearch.networks.graph import Graph, Node

INDENT = " " * 4
LINE = 110  # characters of weights

HELPERS = (
    (
        '''
def convolution(images, kernels, biases, stride, padding, groups):
    """Sums of what windows see, (examples, channels, rows, columns)."""
    around = (padding, padding)
    images = np.pad(images, ((0, 0), (0, 0), around, around))
    windows = np.lib.stride_tricks.sliding_window_view(images, kernels.shape[2:], (2, 3))[:, :, ::stride, ::stride]
    parts = zip(np.split(windows, groups, 1), np.split(kernels, groups))
    sums = [np.tensordot(seen, some, ([1, 4, 5], [1, 2, 3])) for seen, some in parts]
    return (np.concatenate(sums, 3) + biases).transpose(0, 3, 1, 2)
''',
        {"Conv"},
    ),
    (
        '''
def pooled(images, size, take):
    """The largest or the mean of each square, (examples, channels, rows, columns)."""
    rows, columns = images.shape[2] // size, images.shape[3] // size
    whole = images[:, :, : rows * size, : columns * size]
    return take(whole.reshape(*images.shape[:2], rows, size, columns, size), (3, 5))
''',
        {"MaxPool", "AveragePool"},
    ),
    (
        '''
def places(texts, known, other):
    """The number of each text, of the shape of the texts."""
    return np.array([[known.get(text, other) for text in row] for row in texts])
''',
        {"LabelEncoder"},
    ),
)

COLUMNS = '''
def numbers(rows, column):
    """A column of numbers, (examples, 1); a missing one, None or an empty text, is NaN."""
    return np.array([[np.nan if row[column] in (None, "") else float(row[column])] for row in rows])


def texts(rows, column):
    """A column of texts, (examples, 1); a missing one, None or NaN, is empty."""
    found = [row[column] for row in rows]
    return np.array([["" if text is None or text != text else str(text)] for text in found], object)
'''

Written = Callable[[list[str], Mapping[str, Any]], str]


def _infix(sign: str) -> Written:
    return lambda given, options: f"{given[0]} {sign} {given[1]}"


def _call(name: str) -> Written:
    return lambda given, options: f"{name}({', '.join(given)})"


def _reduced(name: str) -> Written:
    return lambda given, options: f"{given[0]}.{name}({given[1]}, keepdims={bool(options['keepdims'])})"


FORMS: dict[str, Written] = {
    "Add": _infix("+"),
    "ArgMax": lambda given, options: f"{given[0]}.argmax({options['axis']})",
    "AveragePool": lambda given, options: f"pooled({given[0]}, {options['strides'][0]}, np.mean)",
    "Cast": lambda given, options: f"{given[0]}.astype(np.{options['to']})",
    "Concat": lambda given, options: f"np.concatenate([{', '.join(given)}], {options['axis']})",
    "Conv": lambda given, options: (
        f"convolution({', '.join(given)}, {options['strides'][0]}, {options['pads'][0]}, {options['group']})"
    ),
    "Div": _infix("/"),
    "Equal": _infix("=="),
    "Exp": _call("np.exp"),
    "Floor": _call("np.floor"),
    "Gather": lambda given, options: f"{given[0]}[{given[1]}]",
    "Gemm": lambda given, options: f"{given[0]} @ {given[1]} + {given[2]}",
    "Greater": _infix(">"),
    "GreaterOrEqual": _infix(">="),
    "IsNaN": _call("np.isnan"),
    "LabelEncoder": lambda given, options: f"places({given[0]}, {options['places']!r}, {options['other']})",
    "Less": _infix("<"),
    "MatMul": _infix("@"),
    "Max": _call("np.maximum"),
    "MaxPool": lambda given, options: f"pooled({given[0]}, {options['strides'][0]}, np.max)",
    "Min": _call("np.minimum"),
    "Mul": _infix("*"),
    "ReduceMean": _reduced("mean"),
    "ReduceSum": _reduced("sum"),
    "Relu": lambda given, options: f"np.maximum({given[0]}, 0)",
    "Reshape": lambda given, options: f"{given[0]}.reshape({given[1]})",
    "Round": _call("np.rint"),
    "Sigmoid": lambda given, options: f"1 / (1 + np.exp(-{given[0]}))",
    "Sqrt": _call("np.sqrt"),
    "Sub": _infix("-"),
    "Tanh": _call("np.tanh"),
    "Transpose": lambda given, options: f"{given[0]}.transpose({tuple(options['perm'])})",
    "Where": _call("np.where"),
}


def encode(pipeline: Pipeline, provenance: Mapping[str, str]) -> bytes:
    """The file's content: a function `predict`; for classes `outputs`, and `predict_proba` where there are."""
    needed = pipeline.graph.needed([pipeline.raw])
    operations = {node.operation for node in needed.nodes}
    parts = [
        _head(pipeline, provenance),
        *([] if pipeline.inputs[0].value == INPUT else [COLUMNS.strip()]),
        *(text.strip() for text, users in HELPERS if operations & users),
        *_functions(pipeline, needed),
        "# The weights: numbers, little-endian, in base 85.\n" + "\n".join(_constants(needed)),
    ]
    return ("\n\n\n".join(parts) + "\n").encode()


def _head(pipeline: Pipeline, provenance: Mapping[str, str]) -> str:
    facts = "".join(f"{INDENT}{name}: {_plain(text)}\n" for name, text in provenance.items() if text)
    lines = [
        f'"""A network trained by distsearch. It needs NumPy alone.\n\n{facts}"""\n',
        "import base64\n",
        "import numpy as np\n",
        f"FEATURES = {list(pipeline.features)!r}",
    ]
    if pipeline.labels is not None:
        kind = "object" if pipeline.labels.dtype == object else repr(_code_of(pipeline.labels))
        lines.append(f"LABELS = np.array({pipeline.labels.tolist()!r}, dtype={kind})")
    return "\n".join(lines)


def _code_of(labels: NDArray[Any]) -> str:
    return "T" if labels.dtype.kind == "T" else labels.dtype.str


def _functions(pipeline: Pipeline, needed: Graph) -> list[str]:
    """The functions, the first of which has the forward pass."""
    count = f"(examples, {len(pipeline.features)})"
    [output] = pipeline.outputs
    shape = ", ".join(["examples", *map(str, output.shape)]) + ("" if output.shape else ",")
    first = "predict" if pipeline.choice is None else "outputs"
    functions = [
        [
            f"def {first}(X):",
            f'"""What the network makes of rows of FEATURES, {count}: ({shape})."""',
            *map(_read, enumerate(pipeline.inputs)),
            *statements(needed),
            f"return {pipeline.raw}" + ("" if pipeline.choice is not None or output.shape else "[:, 0]"),
        ]
    ]
    if output.name == PROBABILITIES:
        functions.append(
            [
                "def predict_proba(X):",
                f'"""The probability of each label, ({shape}), of rows of FEATURES, {count}."""',
                "z = outputs(X)",
                "powers = np.exp(z - z.max(1, keepdims=True))",
                "return powers / powers.sum(1, keepdims=True)",
            ]
        )
    if pipeline.choice is not None:
        column = "" if pipeline.flat else "[:, np.newaxis]"
        text = f'"""A label for each row of FEATURES, {count}."""'
        functions.append(["def predict(X):", text, f"return LABELS[outputs(X).argmax(1)]{column}"])
    return [f"\n{INDENT}".join(lines) for lines in functions]


def _read(numbered: tuple[int, Input]) -> str:
    """The statement that takes an input."""
    number, given = numbered
    if given.value == INPUT:
        return f"{INPUT} = np.asarray(X, np.{given.type})"
    return f"{given.value} = {'texts' if given.type == TEXT else 'numbers'}(X, {number})"


def statements(graph: Graph) -> list[str]:
    """A statement for each node."""
    literals = {name: text for name, array in graph.constants.items() if (text := _literal(array))}
    return [f"{node.output} = {_expression(node, literals)}" for node in graph.nodes]


def _expression(node: Node, literals: Mapping[str, str]) -> str:
    return FORMS[node.operation]([literals.get(name, name) for name in node.inputs], node.attributes)


def _literal(array: NDArray[Any]) -> str:
    """A constant as it stands in an expression; empty if it is too large for that."""
    if array.ndim == 0:
        return str(array[()])
    if array.dtype.kind == "i" and array.ndim == 1:
        return str(tuple(array.tolist())) if len(array) > 1 else str(array[0])
    return ""


def _constants(graph: Graph) -> list[str]:
    lines = [
        "def array(text, kind, *shape):",
        f"{INDENT}return np.frombuffer(base64.b85decode(text), kind).reshape(shape)",
        "",
        "",
    ]
    for name, array in graph.constants.items():
        if _literal(array):
            continue
        kind = array.dtype.newbyteorder("<")
        text = base64.b85encode(array.astype(kind, copy=False).tobytes()).decode()
        shape = "".join(f", {size}" for size in array.shape)
        if len(text) <= LINE:
            lines.append(f'{name} = array("{text}", "{kind.str}"{shape})')
            continue
        rows = [f'{INDENT}"{text[start : start + LINE]}"' for start in range(0, len(text), LINE)]
        lines += [f"{name} = array(", *rows[:-1], f'{rows[-1]}, "{kind.str}"{shape}', ")"]
    return lines


def _plain(text: str) -> str:
    """A text within a docstring."""
    return text.encode("unicode_escape").decode().replace('"', '\\"')
