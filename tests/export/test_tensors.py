import numpy as np
import pytest
import safetensors.numpy
from programs import succeeded
from searches import search

from distsearch.config import from_flags
from distsearch.data import datasets
from distsearch.data.schema import Schema
from distsearch.errors import RunError
from distsearch.export.tensors import encode
from distsearch.objectives.model import Model
from distsearch.search.assembly import assemble
from distsearch.search.first_weights import of_file
from distsearch.search.provenance import provenance_of
from distsearch.search.resumption import stored_model

FLAGS = {"data": "iris", "layers": [9, 8], "precision": ["float32", "ternary", "binary"], "rounds": 20}


@pytest.mark.parametrize("strategy", ["node-perturbation", "evolution-strategy"])
def test_exported_tensors_give_the_outputs_of_the_run(tmp_path, strategy):
    stored, _ = search(tmp_path, name="a", strategy=strategy, **FLAGS)
    path = tmp_path / "weights.safetensors"
    path.write_bytes(encode(stored_model(stored), provenance_of(stored)))
    schema = Schema.from_json(stored.manifest.data)
    again = Model.of_tensors(stored.config.network, schema, of_file(path))
    features = datasets.load("iris", numbers=False).train.features
    assert again.outputs(features).tobytes() == stored_model(stored).outputs(features).tobytes()


def test_the_command_writes_tensors_that_anyone_can_read(tmp_path):
    stored, _ = search(tmp_path / "runs", name="a", **FLAGS)
    succeeded("export", "a", "--to", "weights.safetensors", cwd=tmp_path)
    tensors = safetensors.numpy.load_file(tmp_path / "weights.safetensors")
    assert tensors["dense1.weights"].dtype == np.float32
    assert tensors["dense2.weights"].tolist() != []
    assert tensors["dense3.weights"].size == 3  # 24 weights, a bit each
    assert np.unpackbits(tensors["dense3.weights"]).size == 24
    assert stored.best()["dense3.weights"].dtype == np.float32  # the latent ones stay in the run


def test_a_search_begins_with_exported_weights_of_few_bits(tmp_path):
    stored, _ = search(tmp_path, name="a", **FLAGS)
    path = tmp_path / "weights.safetensors"
    path.write_bytes(encode(stored_model(stored), provenance_of(stored)))
    again = assemble(from_flags({**FLAGS, "workers": 0, "start": str(path)}))
    model = stored_model(stored)
    assert np.array_equal(again.plan.first.center, model.network.rounded(model.weights))


def test_a_damaged_export_is_refused(tmp_path):
    stored, _ = search(tmp_path, name="a", **FLAGS)
    path = tmp_path / "weights.safetensors"
    path.write_bytes(encode(stored_model(stored), provenance_of(stored))[:-1] + b"?")
    with pytest.raises(RunError, match="is damaged"):
        of_file(path)
