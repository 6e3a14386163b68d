"""The notebook of the guide, run cell by cell in its own kernel."""

import logging
import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import distsearch

TOUR = Path(distsearch.__file__).parent / "guide" / "tour.ipynb"
CELL_SECONDS = 300


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # sockets of the kernel's client
def test_the_tour_runs_from_top_to_bottom_and_keeps_its_promises(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TOUR.parents[2]), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    notebook = nbformat.read(TOUR, as_version=4)
    nbformat.validate(notebook)
    NotebookClient(notebook, timeout=CELL_SECONDS, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = {cell.source.splitlines()[-1]: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}
    assert "<progress" not in shown["result"][0].data["text/html"]  # the progress bar is gone and its last line remains
    assert shown["result"][0].data["text/plain"].startswith("200 rounds · loss ")
    assert "<svg" in shown["result"][1].data["text/html"]
    assert shown['(alone["predict"](X) == result.predict(X)).mean()'][-1].data["text/plain"] == "np.float64(1.0)"
    for same in (
        "np.array_equal(loaded.predict(X), result.predict(X))",
        "np.array_equal(optimizer.best, found.weights)",
    ):
        assert shown[same][-1].data["text/plain"] == "True"
    for accuracies, least in (
        ("steps.accuracy, steps.summary.test_accuracy", 0.85),
        ("spiking.accuracy, spiking.summary.test_accuracy", 0.75),
    ):
        for accuracy in shown[accuracies][-1].data["text/plain"].strip("()").split(", "):
            assert float(accuracy) > least


def test_no_output_is_kept_in_the_notebook():
    notebook = nbformat.read(TOUR, as_version=4)
    assert all(
        cell.outputs == [] and cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code"
    )
