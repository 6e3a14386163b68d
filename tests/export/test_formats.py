"""Exported models: ONNX in onnxruntime, a self-contained Python file and JSON give the model's predictions."""

import json
import runpy
import subprocess
import sys
from dataclasses import dataclass, fields, replace

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from programs import refused, succeeded
from searches import search as kept

import distsearch
from distsearch.config.sections import NetworkConfig
from distsearch.data import datasets
from distsearch.data.schema import Schema
from distsearch.errors import SettingError, UserError
from distsearch.export.dates import parts_of
from distsearch.export.formats import FORMATS
from distsearch.export.numpy_code import statements
from distsearch.networks.activations import ACTIVATIONS
from distsearch.networks.graph import Graph, Node
from distsearch.networks.kinds import KINDS, kinds_in
from distsearch.objectives.model import Model, network_for
from distsearch.randomness import Stream, noise

EXAMPLES = 60
FLAT = 6
IMAGE = (6, 6, 2)
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def made(labels=None, image=None, loss="cross-entropy", scale=True, bits=None, **network) -> tuple[Model, np.ndarray]:
    """A model with random weights, and raw columns."""
    shape = (EXAMPLES, FLAT) if image is None else (EXAMPLES, *image)
    raw = 3 * noise(1, Stream.DATA, 0, 0, 1, int(np.prod(shape))).reshape(shape) + 5
    numbers = loss not in ("cross-entropy", "classification-error")
    targets = raw.reshape(EXAMPLES, -1)[:, :2] if numbers else np.arange(EXAMPLES) % 3
    targets = targets if labels is None else np.asarray(labels)
    dataset = datasets.from_arrays(raw, targets, numbers=numbers, scale=scale, input_bits=bits)
    config = distsearch.config.from_flags({"data": "memory", "loss": loss, **network}).network
    built = network_for(config, dataset.schema)
    weights = built.start("he", 3) + 0.1 * noise(2, Stream.DATA, 0, 0, 1, built.weights_count)[0]
    return Model(config, dataset.schema, weights), raw.reshape(EXAMPLES, -1).astype(np.float64)


def expected(model: Model, raw: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Predictions, outputs and probabilities of the model itself."""
    features = datasets.features_from(raw.astype(np.float32 if model.schema.mean is None else np.float64), model.schema)
    outputs = model.outputs(features)
    return model.predict(features), outputs, model.probabilities(outputs)


def in_onnxruntime(content: bytes, raw: np.ndarray) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    [given] = session.get_inputs()
    kind = {"tensor(float)": np.float32, "tensor(double)": np.float64}[given.type]
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {given.name: raw.astype(kind)}), strict=True))


def in_python(content: bytes, tmp_path):
    path = tmp_path / "model.py"
    path.write_bytes(content)
    return runpy.run_path(str(path))


def in_json(content: bytes, raw: np.ndarray) -> dict[str, np.ndarray]:
    """The outputs of a JSON graph, computed from nothing but the file."""
    document = json.loads(content)
    graph = Graph()
    graph.nodes = [
        Node(each["operation"], tuple(each["inputs"]), each["output"], each["attributes"]) for each in document["nodes"]
    ]
    graph.constants = {
        name: np.array(each["values"], each["type"]).reshape(each["shape"])
        for name, each in document["constants"].items()
    }
    names = {"np": np, "X": raw.astype(document["inputs"][0]["type"]), **graph.constants, "pooled": None}
    exec("\n".join(statements(graph)), names)  # noqa: S102
    return {output["name"]: names[output["value"]] for output in document["outputs"]}


NETWORKS = {
    "dense": {"layers": [5, 4]},
    "none": {"layers": []},
    "layernorm": {"layers": [5, "layernorm", 4]},
    "groupnorm": {"layers": [6, "groupnorm3", 4]},
    "residual": {"layers": [5, "res(5,5)"]},
    "experts": {"layers": ["moe3(5)", 4]},
    "deep-experts": {"layers": ["moe3(5,4)"], "activation": "tanh"},
    "attention": {"layers": [5, "attention4"]},
    "int8": {"layers": [5, 4], "precision": "int8"},
    "ternary": {"layers": [5, 4], "precision": ["ternary", "binary", "float32"]},
    "exact": {"layers": [5], "precision": "binary", "activation": "sign", "bits": 4},
    "unscaled": {"layers": [5], "scale": False},
    "lif": {"layers": [5, 4], "activation": "lif", "time_steps": 5},
    "lif-zero": {"layers": [5, 4], "activation": "lif", "time_steps": 5, "reset": "zero"},
    "lif-rate": {"layers": [5], "activation": "lif", "time_steps": 4, "encoding": "rate"},
    "lif-counts": {"layers": [5], "activation": "lif", "time_steps": 4, "readout": "counts"},
    "lif-then-relu": {"layers": [5, 4], "activation": ["lif", "relu"], "time_steps": 4},
    "recurrent": {"layers": ["r5", 4], "activation": "lif", "time_steps": 5},
    "recurrent-rate": {"layers": ["r5"], "activation": "lif", "time_steps": 5, "encoding": "rate"},
    "lif-experts": {"layers": [5, "moe2(4)"], "activation": ["lif", "relu"], "time_steps": 3},
    "lif-attention": {"layers": [5, "attention3"], "activation": "lif", "time_steps": 3},
    "convolution": {"layers": ["conv4x3", 5], "image": IMAGE},
    "strides": {"layers": ["conv4x3s2p1g2", 5], "image": IMAGE},
    "pools": {"layers": ["pool2", "conv4x2", "avgpool2", 5], "image": IMAGE},
    "pool-in-convolution": {"layers": ["conv4x3p1", "pool4", "conv3x1"], "image": IMAGE, "activation": "gelu"},
    "images-residual": {"layers": ["conv4x3p1", "res(conv4x3,conv4x3)", "layernorm"], "image": IMAGE},
    "images-groupnorm": {"layers": ["conv4x3", "groupnorm2", "conv3x3"], "image": IMAGE},
    "images-lif": {"layers": ["conv4x3", "pool2", 5], "image": IMAGE, "activation": "lif", "time_steps": 8},
    "error": {"layers": [5], "loss": "classification-error"},
    "regression": {"layers": [5], "loss": "mean-squared-error"},
    "counts": {"layers": [5], "loss": "poisson", "labels": np.arange(EXAMPLES) % 7},
    "one-number": {"layers": [5], "loss": "mean-absolute-error", "labels": np.linspace(0, 1, EXAMPLES)},
    "one-column": {"layers": [5], "loss": "mean-squared-error", "labels": np.linspace(0, 1, EXAMPLES)[:, np.newaxis]},
    **{f"activation-{name}": {"layers": [5, 4], "activation": name} for name in ACTIVATIONS.own},
}


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_every_format_gives_the_model_s_predictions(tmp_path, network):
    model, raw = made(**network)
    predictions, outputs, probabilities = expected(model, raw)
    assert len(np.unique(outputs.round(4), axis=0)) > 3  # not the same for all

    found = in_onnxruntime(FORMATS[".onnx"](model, {}), raw)
    if model.labels is None:
        np.testing.assert_allclose(found.pop("prediction"), predictions, **CLOSE)
    else:
        assert found.pop("label").tolist() == predictions.tolist()
        name, numbers = ("scores", outputs) if probabilities is None else ("probabilities", probabilities)
        np.testing.assert_allclose(found.pop(name), numbers, **CLOSE)
    assert found == {}

    alone = in_python(FORMATS[".py"](model, {}), tmp_path)
    if model.labels is None:
        np.testing.assert_allclose(alone["predict"](raw), predictions, **CLOSE)
    else:
        assert alone["predict"](raw).tolist() == predictions.tolist()
        np.testing.assert_allclose(alone["outputs"](raw), outputs, **CLOSE)
    if probabilities is not None:
        np.testing.assert_allclose(alone["predict_proba"](raw), probabilities, **CLOSE)


@pytest.mark.parametrize("network", ["dense", "recurrent", "experts", "attention", "groupnorm"])
def test_json_holds_everything_a_prediction_needs(network):
    model, raw = made(loss="mean-squared-error", **NETWORKS[network])
    [found] = in_json(FORMATS[".json"](model, {}), raw).values()
    np.testing.assert_allclose(found, expected(model, raw)[0], **CLOSE)


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["no", "yes", "é|\"'\\"]),
        np.array([b"no", b"yes", b"maybe"]),
        np.array([False, True, True]),
        np.array([-3, 0, 7], np.int8),
        np.array([0.5, 1.5, 2.5]),
        np.array(["01", "1", "1.0"], object),
        np.array([1, 2, 30], object),
    ],
    ids=["text", "bytes", "truths", "whole", "numbers", "texts", "objects"],
)
def test_labels_come_back_unchanged(tmp_path, labels):
    model, raw = made(labels=labels[np.arange(EXAMPLES) % 3], layers=[5])
    predictions = expected(model, raw)[0]
    alone = in_python(FORMATS[".py"](model, {}), tmp_path)["predict"](raw)
    assert alone.tolist() == predictions.tolist()
    assert alone.dtype == predictions.dtype
    found = in_onnxruntime(FORMATS[".onnx"](model, {}), raw)["label"]
    as_texts = [each.decode() if isinstance(each, bytes) else each for each in predictions.tolist()]
    assert found.tolist() == as_texts


def frame() -> pd.DataFrame:
    """A table as they occur in practice: gaps, text, truths, units, dates, and numbers of all scales."""
    numbers = noise(1, Stream.DATA, 0, 0, EXAMPLES, 2).astype(np.float64)
    table = pd.DataFrame({"size": 1e5 * numbers[:, 0] + 3e5, "a b": numbers[:, 1]})
    table["near"] = numbers[:, 1]
    table.loc[::7, "a b"] = np.nan
    table["colour"] = pd.Series(["red", "blue", "it's", None] * (EXAMPLES // 4), dtype=object)
    table["label"] = pd.Series(["x", "y"] * (EXAMPLES // 2), dtype=object)
    table["floor"] = pd.Categorical(np.arange(EXAMPLES) % 3)
    table["new"] = numbers[:, 1] > 0
    table["day"] = pd.date_range("1899-02-27 05:30", periods=EXAMPLES, freq="457D17h")  # over leap days and 1970
    table["bought"] = table["day"].shift(1).where(table.index % 5 > 0)
    return table


def column_inputs(model, table: pd.DataFrame) -> dict[str, pd.Series]:
    """The columns of a table as exports take them: dates as days since 1970, truths as numbers, the rest as it is."""
    columns = dict(table.items())
    for name in ("day", "bought"):
        if name in columns:
            columns[name] = (columns[name] - pd.Timestamp(0)) / pd.Timedelta(days=1)
    if model.schema.columns is not None:
        kinds = dict(zip(model.schema.features, model.schema.columns, strict=True))
        for name, encoding in kinds.items():
            if encoding.kind == "category":
                columns[name] = columns[name].astype(object).where(columns[name].notna(), None)
                columns[name] = columns[name].map(lambda value: value if value is None else str(value))
    return columns


PREPARATIONS = {
    "plain": (["near", "new"], {"scale": "no"}),
    "scaled": (["size", "new"], {"scale": "yes"}),
    "rounded": (["size", "new"], {"input_bits": 5}),
    "gaps": (["size", "a b"], {}),
    "texts": (["size", "colour", "label"], {}),
    "numbers as categories": (["size", "floor"], {}),
    "days": (["size", "day", "bought"], {"dates": "days"}),
    "parts": (["size", "day", "bought"], {"dates": "parts"}),
    "all": (["size", "a b", "colour", "label", "floor", "new", "day", "bought"], {"dates": "parts"}),
}


@pytest.mark.parametrize("loss", ["cross-entropy", "mean-squared-error"])
@pytest.mark.parametrize(("names", "settings"), PREPARATIONS.values(), ids=PREPARATIONS)
def test_raw_tables_are_prepared_in_the_file(tmp_path, loss, names, settings):
    table = frame()[names]
    targets = np.arange(EXAMPLES) % 3 if loss == "cross-entropy" else 1e5 * np.arange(EXAMPLES) + 3e6
    found = distsearch.search(table, targets, layers=[5], start="he", loss=loss, rounds=3, workers=0, **settings)
    other = table.sample(frac=1, random_state=0)
    for name, value in (("colour", "green"), ("a b", np.nan), ("bought", pd.NaT)):
        if name in names:
            other.loc[other.index[:3], name] = value
    expected = found.predict(other)
    assert len(np.unique(expected)) > 1
    output = "label" if loss == "cross-entropy" else "prediction"
    columns = column_inputs(found.model, other)

    session = onnxruntime.InferenceSession(FORMATS[".onnx"](found.model, {}), providers=["CPUExecutionProvider"])
    given = {}
    for each in session.get_inputs():
        name = each.name.removesuffix(" (column)")
        if name == "X":
            given[name] = np.column_stack([columns[one].to_numpy(float) for one in names])
            given[name] = given[name].astype({"tensor(float)": np.float32, "tensor(double)": np.float64}[each.type])
        elif each.type == "tensor(string)":
            given[each.name] = columns[name].fillna("").to_numpy(object)[:, np.newaxis]
        else:
            given[each.name] = columns[name].to_numpy(float)[:, np.newaxis]
    np.testing.assert_allclose(session.run([output], given)[0], expected, rtol=1e-5)

    rows = pd.DataFrame({name: columns[name] for name in names}).astype(object)
    rows = rows.where(rows.notna(), None).to_numpy().tolist()
    alone = in_python(FORMATS[".py"](found.model, {}), tmp_path)
    np.testing.assert_allclose(alone["predict"](rows), expected, rtol=1e-5)


def test_a_column_may_be_called_as_the_argument_is(tmp_path):
    table = pd.DataFrame({"X": ["red", "blue"] * 10, "Y": np.arange(20.0)})
    found = distsearch.search(table, np.arange(20) % 2, layers=[3], rounds=2, workers=0)
    alone = in_python(FORMATS[".py"](found.model, {}), tmp_path)
    assert alone["predict"](table.to_numpy().tolist()).tolist() == found.predict(table).tolist()


def test_parts_of_dates_are_those_of_the_calendar():
    days = np.arange(-800_000, 800_000, 97)[:, np.newaxis] + np.array([0.75])
    graph = Graph()
    names = parts_of(graph, "days")
    values = {"np": np, "days": days, **graph.constants}
    exec("\n".join(statements(graph)), values)  # noqa: S102
    found = np.concatenate([values[name] for name in names], axis=1)
    dates = np.floor(days[:, 0]).astype("datetime64[D]")
    text = np.array([each.split("-")[-3:] for each in dates.astype(str)])
    years = dates.astype("datetime64[Y]").astype(int) + 1970
    weekday = (dates.astype("datetime64[W]") - dates).astype(int)  # weeks of NumPy's begin on a Thursday
    np.testing.assert_array_equal(found[:, 0], years)
    np.testing.assert_array_equal(found[:, 1:3], text[:, 1:].astype(int))
    np.testing.assert_array_equal(found[:, 3], (3 - weekday) % 7)
    np.testing.assert_array_equal(found[:, 4], 18)


def test_times_in_seconds_keep_their_digits():
    raw = 1.7e9 + np.arange(EXAMPLES, dtype=np.float64)[:, np.newaxis]
    dataset = datasets.from_arrays(raw, np.arange(EXAMPLES) % 2, numbers=False, scale=True)
    config = NetworkConfig(loss="cross-entropy")
    model = Model(config, dataset.schema, network_for(config, dataset.schema).start("he", 1))
    outputs = model.probabilities(model.outputs(dataset.train.features))
    found = in_onnxruntime(FORMATS[".onnx"](model, {}), raw)["probabilities"]
    assert len(np.unique(found[:, 0])) > EXAMPLES / 3
    np.testing.assert_allclose(found, outputs, **CLOSE)


def test_the_file_records_where_the_model_comes_from(tmp_path):
    stored, result = kept(tmp_path / "runs", name="a", data="iris", layers=[4], rounds=5, seed=11)
    succeeded("export", "a", "--to", "model.onnx", cwd=tmp_path)
    for suffix in (".json", ".py", ".safetensors"):
        distsearch.load(tmp_path / "runs" / "a").export(tmp_path / f"model{suffix}")
    told = {each.key: each.value for each in onnx.load(tmp_path / "model.onnx").metadata_props}
    assert (told["run"], told["seed"], told["rounds"]) == ("a", "11", "5")
    assert (told["fingerprint"], told["version"]) == (stored.manifest.fingerprint, distsearch.__version__)
    assert json.loads(told["features"]) == list(stored.manifest.data["features"])
    assert json.loads((tmp_path / "model.json").read_bytes())["provenance"]["loss"] == repr(result.loss)
    assert f"fingerprint: {stored.manifest.fingerprint}" in (tmp_path / "model.py").read_text()
    X = datasets.load("iris", numbers=False).train.features
    assert (
        in_python((tmp_path / "model.py").read_bytes(), tmp_path)["predict"](X).tolist()
        == distsearch.load(tmp_path / "runs" / "a").predict(X).tolist()
    )


def test_an_exported_result_needs_no_distsearch(tmp_path):
    X = noise(5, Stream.DATA, 0, 0, 60, 2)
    result = distsearch.search(X, (X[:, 0] > 0).astype(int), layers=[3], rounds=5, workers=0, seed=4)
    result.save(tmp_path / "saved")
    for number, each in enumerate((result, distsearch.load(tmp_path / "saved"))):
        each.export(tmp_path / f"model{number}.py")
    assert (tmp_path / "model0.py").read_bytes() == (tmp_path / "model1.py").read_bytes()
    text = (tmp_path / "model0.py").read_text()
    assert "seed: 4" in text
    assert len([line for line in text.splitlines() if not line.startswith('    "')]) < 60
    np.save(tmp_path / "X.npy", X)
    program = "import numpy as np, sys, model0; print(*model0.predict(np.load('X.npy')), 'distsearch' in sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert said.split() == [*map(str, result.predict(X)), "False"]


def test_a_model_that_cannot_be_exported_is_refused_in_a_sentence(tmp_path, monkeypatch):
    kept(tmp_path / "runs", name="a", rounds=2)
    assert refused("export", "a", "--to", "model.pmml", cwd=tmp_path) == (
        "expected a file that ends in one of .json, .onnx, .py, .safetensors to export to, got 'model.pmml'"
    )
    with pytest.raises(UserError, match="^cannot write .*none/model.py: No such file or directory$"):
        distsearch.load(tmp_path / "runs" / "a").export(tmp_path / "none" / "model.py")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(
        SettingError, match=r'needs onnx, which is not installed; type pip install "distsearch\[onnx\]"'
    ):
        distsearch.load(tmp_path / "runs" / "a").export(tmp_path / "model.onnx")


@dataclass(frozen=True)
class Wider(Schema):
    """A schema with more fields than exports know."""

    hashed: tuple[str, ...] | None = None


@pytest.mark.parametrize("said", [{"groups": ("region",)}, {"decimal": ","}, {"commas": ("size",)}])
def test_what_changes_no_prediction_does_not_hinder(said):
    model, raw = made(layers=[4], loss="mean-squared-error")
    judged = Model(model.config, replace(model.schema, **said), model.weights)
    [found] = in_json(FORMATS[".json"](judged, {}), raw).values()
    np.testing.assert_allclose(found, expected(model, raw)[0], **CLOSE)


def test_unknown_fields_are_refused_not_ignored():
    model, _ = made(layers=[4])
    known = {each.name: getattr(model.schema, each.name) for each in fields(model.schema)}
    assert FORMATS[".json"](Model(model.config, Wider(**known), model.weights), {})
    with pytest.raises(SettingError, match="data that is prepared by hashed cannot be exported as a graph"):
        FORMATS[".json"](Model(model.config, Wider(**known, hashed=("city",)), model.weights), {})


def test_every_kind_of_layer_is_tested():
    words = [word for network in NETWORKS.values() for word in network["layers"]]
    assert set(kinds_in(words)) == set(KINDS.own)


def test_parts_that_a_format_cannot_express_are_named(monkeypatch):
    model, _ = made(layers=[4, "layernorm"])
    from distsearch.networks.layers.base import Layer
    from distsearch.networks.layers.normalisation import Normalisation

    monkeypatch.setattr(Normalisation, "express", Layer.express)
    with pytest.raises(SettingError, match="a layer of the kind norm cannot be exported as a graph"):
        FORMATS[".json"](model, {})
    assert FORMATS[".safetensors"](model, {})
    monkeypatch.setitem(ACTIVATIONS.own, "relu", ACTIVATIONS.own["relu"]._replace(express=None))
    model, _ = made(layers=[4])
    with pytest.raises(SettingError, match="the activation _relu cannot be exported"):
        FORMATS[".py"](model, {})
