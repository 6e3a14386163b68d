"""Spiking networks in searches: they learn, are resumed to the same bytes, and impossible ones are refused."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from searches import contents, resume, search

from distsearch.config import from_flags, from_sections
from distsearch.config.toml import to_toml
from distsearch.errors import UserError
from distsearch.networks.spikes import Spikes
from distsearch.objectives.model import design_of
from distsearch.search.assembly import assemble


def learnt(folder: Path, data: str, strategy: str, rounds: int, **flags: Any) -> float:
    """The accuracy that a search reaches with default settings."""
    given = {"activation": "lif", "strategy": strategy, "rounds": rounds, "layers": [16], **flags}
    return search(folder, data=data, **given)[1].accuracy


@pytest.mark.parametrize(
    ("data", "flags", "accuracy"),
    [
        ("vertical", {}, 0.9),
        ("iris", {"scale": True}, 0.96),
        ("iris", {"scale": True, "encoding": "rate"}, 0.96),
        ("iris", {"scale": True, "readout": "counts", "reset": "zero"}, 0.96),
        ("iris", {"scale": True, "layers": ["r16"]}, 0.94),
        ("iris", {"scale": True, "layers": [16, 16]}, 0.95),
        ("digits", {"layers": [32], "batch": 128}, 0.9),
    ],
)
def test_node_perturbation_teaches_them(tmp_path, data, flags, accuracy):
    assert learnt(tmp_path, data, "node-perturbation", 200, **flags) > accuracy


@pytest.mark.parametrize(("data", "accuracy"), [("vertical", 0.88), ("iris", 0.93)])
@pytest.mark.parametrize("rank", [0, 1])
def test_weight_noise_teaches_them(tmp_path, data, accuracy, rank):
    flags = {"scale": data == "iris", "population": 32, "rank": rank}
    assert learnt(tmp_path, data, "evolution-strategy", 150, **flags) > accuracy


SPIKING = {
    "data": "iris",
    "scale": True,
    "layers": ["r6", 5],
    "activation": "lif",
    "time_steps": 7,
    "membrane_decay": 0.8,
    "threshold": 1.5,
    "reset": "subtract",
    "encoding": "rate",
    "readout": "membrane",
}


def test_a_spiking_network_is_read_back_from_toml():
    config = from_flags(SPIKING)
    again = from_sections(tomllib.loads(to_toml(config, None)))
    assert again.network == config.network
    assert design_of(again.network).spikes == Spikes(7, 0.8, 1.5, "subtract", "rate", "membrane")


@pytest.mark.parametrize("strategy", ["node-perturbation", "evolution-strategy"])
def test_a_stopped_run_resumes_to_the_same_bytes(tmp_path, strategy):
    flags = {**SPIKING, "strategy": strategy, "batch": 40, "measure_every": 3}
    whole = search(tmp_path, name="whole", rounds=20, **flags)[0].path
    part = search(tmp_path, name="part", rounds=13, **flags)[0].path
    resume(part, rounds=7)
    assert contents(part) == contents(whole)


def test_a_recurrent_layer_takes_neurons_that_spike_alone():
    with pytest.raises(UserError, match="network.layers: r6 is recurrent, and takes only the activation"):
        assemble(from_flags({"data": "iris", "workers": 0, "layers": ["r6"]}))


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"time_steps": 0}, "network.time_steps: expected a whole number >= 1, got 0"),
        ({"membrane_decay": 0}, "network.membrane_decay: expected a number > 0.0, got 0"),
        ({"membrane_decay": 1.5}, "network.membrane_decay: expected a number <= 1.0, got 1.5"),
        ({"threshold": 0}, "network.threshold: expected a number > 0.0, got 0"),
        ({"reset": "zeros"}, "network.reset: unknown reset 'zeros': did you mean 'zero'"),
        ({"encoding": "rates"}, "network.encoding: unknown encoding 'rates': did you mean 'rate'"),
        ({"readout": "count"}, "network.readout: unknown readout 'count': did you mean 'counts'"),
        (
            {"layers": [6], "activation": "relu"},
            "has no effect with the activation relu: leave it out, or choose the activation lif",
        ),
        ({"layers": ["r0"]}, "network.layers: expected a number of neurons such as r64, got '0'"),
        ({"activation": "lift"}, "did you mean 'lif'"),
        *(
            (
                {"time_steps": 10**12, "readout": readout},
                "give it fewer or narrower --layers, or fewer --time-steps",
            )
            for readout in ("membrane", "counts")
        ),
    ],
)
def test_impossible_spiking_networks_are_refused_in_one_sentence(flags, sentence):
    with pytest.raises(UserError) as refused:
        assemble(from_flags({"data": "iris", "workers": 0, **SPIKING, **flags}))
    assert sentence in str(refused.value)
