"""Networks whose sums are exact integers give the same bits in whatever order BLAS adds."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info
from waiting import PATIENCE, running

from distsearch.data.schema import Schema
from distsearch.networks.building import Design
from distsearch.networks.exactness import coarsened, sum_of_squares
from distsearch.networks.kinds import network_of
from distsearch.randomness import Stream, noise

KERNELS = ("", "Haswell", "Nehalem", "Prescott")  # its default choice, and older kernels


@pytest.mark.parametrize("input_bits", [0, 4, 8])
@pytest.mark.parametrize("examples", [1, 100, 128])
def test_products_of_coarsened_slopes_are_exact_and_close(input_bits, examples):
    slopes = noise(0, Stream.DATA, 0, 0, 9, examples) * np.float32(10) ** np.arange(-4, 5, dtype=np.float32)[:, None]
    inputs = np.rint(noise(1, Stream.DATA, 0, 0, 20, examples) * 2**input_bits / 5)
    inputs[0] = 2**input_bits
    coarse = coarsened(slopes, input_bits)
    exact = coarse.astype(np.float64) @ inputs.T.astype(np.float64)
    assert (coarse @ inputs.T).tolist() == exact.tolist()
    assert (coarse[:, ::-1] @ inputs[:, ::-1].T).tolist() == exact.tolist()
    allowed = np.abs(slopes).max(axis=1, keepdims=True) * 2.0 ** (input_bits + 7 - 24)
    assert (np.abs(coarse - slopes) <= allowed).all()


def test_each_node_s_slopes_are_coarsened_separately_and_stay_finite():
    slopes = noise(0, Stream.DATA, 0, 0, 4, 128)
    slopes[1] = 0
    slopes[2] *= np.float32(1e-38)
    whole = coarsened(slopes, 8)
    assert np.isfinite(whole).all()
    assert not whole[1].any()
    for row in range(4):
        assert coarsened(slopes[row : row + 1], 8).tobytes() == whole[row].tobytes()


def test_the_sum_of_squares_is_exact():
    numbers = noise(0, Stream.DATA, 0, 0, 1, 1000)[0]
    assert sum_of_squares(numbers) == pytest.approx(np.square(numbers, dtype=np.float64).sum())


@pytest.mark.parametrize(
    ("activation", "levels", "precision", "bits", "expected"),
    [
        (("sign", "step"), 5, ("binary",), 8, [0, 0, None]),
        (("quantized-relu", "staircase"), 5, ("int8",), 8, [2, None, None]),
        (("staircase", "quantized-relu"), 4, ("ternary",), 8, [2, None, None]),
        (("sign", "sign"), 5, ("binary", "float32", "binary"), 8, [0, None, None]),
        (("relu", "sign"), 5, ("binary",), 8, [None, None, None]),
        (("sign", "sign"), 5, ("binary",), None, [None, None, None]),
        (("sign", "sign"), 5, ("float32",), 8, [None, None, None]),
    ],
)
def test_a_layer_s_bits_are_known_only_if_all_layers_below_are_exact(activation, levels, precision, bits, expected):
    network = network_of(Design((5, 4), activation, precision, levels), (3,), 2, bits)
    assert [layer.bits for layer in network.layers] == expected


@pytest.mark.parametrize(
    ("step", "steps", "bits"), [(2**-8, 256, 8), (1.0, 16, 4), (16.0, 16, 8), (2**-10, 4, 10), (None, None, None)]
)
def test_the_bits_of_the_features_include_the_bias_input(step, steps, bits):
    assert Schema(("x",), "", None, 1, None, None, step=step, steps=steps).feature_bits == bits


FEW_BITS: dict[str, list[str]] = {"activation": ["sign", "quantized-relu"], "precision": ["binary"]}
SEARCHES: dict[str, dict[str, object]] = {
    "nodes": {**FEW_BITS, "strategy": "node-perturbation"},
    "nodes in groups, batches": {**FEW_BITS, "strategy": "node-perturbation", "groups": 20, "batch": 200},
    "mixed": {**FEW_BITS, "strategy": "node-perturbation", "precision": ["ternary", "int8", "binary"]},
    "experts": {**FEW_BITS, "strategy": "node-perturbation", "layers": "64,moe3(16,16)", "activation": ["sign"] * 3},
    "weights": {**FEW_BITS, "strategy": "hill-climb"},
    "weights, uphill": {**FEW_BITS, "strategy": "annealing", "precision": ["int8"]},
    "plain": {"strategy": "node-perturbation"},
}
PROGRAM = f"""
import hashlib, json
from pathlib import Path
from threadpoolctl import threadpool_info
from searches import search

found = {{}}
for name, flags in {SEARCHES!r}.items():
    flags.setdefault("layers", [64, 32])
    named = name.split()[0] + str(len(found))
    stored, _ = search(Path("."), name=named, data="spiral", input_bits=8, rounds=4, **flags)
    files = [(stored.path / file).read_bytes() for file in ("best.safetensors", "checkpoint.safetensors", "losses.bin")]
    found[name] = hashlib.sha256(b"".join(files)).hexdigest()
print(json.dumps([[each["architecture"] for each in threadpool_info() if each["user_api"] == "blas"][0], found]))
"""


@pytest.fixture(scope="module")
def by_kernel(tmp_path_factory) -> dict[str, dict[str, str]]:
    """A hash of the weights, states and losses of some short searches, for each kernel OpenBLAS supports here."""
    if "openblas" not in {each["internal_api"] for each in threadpool_info() if each["user_api"] == "blas"}:
        pytest.skip("NumPy's BLAS here is not OpenBLAS")
    with ExitStack() as stack:
        programs = [stack.enter_context(program) for program in _of_each_kernel(tmp_path_factory)]
        said = [program.communicate(timeout=PATIENCE)[0] for program in programs]
    assert [program.returncode for program in programs] == [0] * len(KERNELS)
    found = dict(json.loads(text.splitlines()[-1]) for text in said)
    if len(found) == 1:
        pytest.skip("NumPy's BLAS here has one kernel only")
    return found


def _of_each_kernel(tmp_path_factory) -> Iterator[AbstractContextManager[subprocess.Popen[str]]]:
    places = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    for kernel in KERNELS:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
        if kernel:
            environment["OPENBLAS_CORETYPE"] = kernel
        folder = tmp_path_factory.mktemp(kernel or "own")
        command = [sys.executable, "-c", PROGRAM]
        yield running(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("name", [name for name in SEARCHES if name != "plain"])
def test_a_network_with_integer_sums_does_not_depend_on_the_kernel(by_kernel, name):
    found = {kernel: hashes[name] for kernel, hashes in by_kernel.items()}
    assert len(set(found.values())) == 1, found


def test_other_networks_depend_on_the_kernel(by_kernel):
    """Otherwise the test above would prove nothing."""
    assert len({hashes["plain"] for hashes in by_kernel.values()}) == len(by_kernel)
