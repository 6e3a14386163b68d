"""Whole searches for networks of every kind: with any workers, stopped and resumed, to the same bits."""

import pytest
from searches import contents, resume, search

from distsearch.search import retrieval, verification

IMAGES = {"data": "digits", "shape": [8, 8, 1], "test_share": 0.2, "batch": 256}
NETWORKS = {
    "convolution": {"layers": "conv4x3,pool2,8"},
    "residual": {"layers": "conv4x3,res(conv4x3,layernorm,conv4x3),avgpool2,groupnorm2,8"},
    "spikes": {"layers": "12", "activation": "lif", "time_steps": 4},
    "spiking images": {"layers": "conv4x3,pool2,8", "activation": "lif", "time_steps": 3, "readout": "membrane"},
    "recurrent": {"layers": "r8", "activation": "lif", "time_steps": 4, "encoding": "rate"},
    "few bits": {"layers": "16", "activation": "sign", "precision": "binary", "input_bits": 4},
    "mixture": {"layers": "12,moe3(8,6)"},
    "attention": {"layers": "12,attention4"},
    "stairs": {"layers": "12,8", "activation": "staircase,step"},
}


@pytest.mark.parametrize("strategy", ["node-perturbation", "evolution-strategy"])
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.slow
def test_workers_and_stops_change_no_bit(tmp_path, ray_with_three_cpus, network, strategy):
    flags = {**IMAGES, **NETWORKS[network], "strategy": strategy, "rounds": 8}
    alone, _ = search(tmp_path / "alone", **flags)
    expected = contents(alone.path)
    shared, _ = search(tmp_path / "shared", **{**flags, "workers": 2})
    assert contents(shared.path) == expected
    stopped, _ = search(tmp_path / "stopped", **{**flags, "rounds": 3})
    resume(stopped.path, rounds=5, workers=1)
    assert contents(stopped.path) == expected
    again = verification.verify(
        verification.Replay(alone), retrieval.own_assembly(alone, 0), range(8), lambda number: None
    )
    assert again.differences == []
