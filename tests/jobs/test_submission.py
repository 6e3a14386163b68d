"""How a search becomes a job, and how its run comes back: against a scripted cluster."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from scripted_cluster import ScriptedCluster, described
from searches import search

from distsearch.errors import ClusterError, UserError
from distsearch.jobs import following
from distsearch.jobs.archive import pack
from distsearch.jobs.submission import Submission, command, fetch, submit

ABSENT = [("FAILED", 127, "/bin/sh: 1: distsearch: not found\n")]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(following.time, "sleep", lambda seconds: None)


def shell(text: str, **variables: str) -> list[str]:
    """What a shell that runs this command passes to a program named distsearch: its runs folder and its arguments."""
    script = f'distsearch() {{ printf "%s\\n" "$DISTSEARCH_RUNS" "$@"; }}; {text}'
    environment = {"PATH": os.environ["PATH"], **variables}
    return subprocess.run(
        ["/bin/sh", "-c", script], env=environment, capture_output=True, text=True
    ).stdout.splitlines()


def test_the_command_survives_the_shell_and_uses_the_cluster_s_runs_folder():
    arguments = ["run", "--name", "it's $HOME; a `name`", "--data", "my data.csv"]
    assert shell(command(arguments)) == ["~/distsearch-runs", *arguments]
    assert shell(command(arguments), DISTSEARCH_RUNS="/re sults") == ["/re sults", *arguments]


def test_nothing_is_sent_to_a_cluster_that_has_distsearch(said):
    cluster = ScriptedCluster()
    done = submit(cluster, Submission(["run", "--name", "one"], "one"), "")
    [sent] = cluster.sent
    assert (done.id, sent.job, sent.environment) == ("one", "one", {})
    assert sent.metadata == {"distsearch": "run", "run": "one"}
    assert (cluster.deleted, said) == ([], [])


def test_a_cluster_without_distsearch_is_sent_it_under_another_id(said):
    cluster = ScriptedCluster(scripts={"one": ABSENT})
    done = submit(cluster, Submission(["run", "--name", "one"], "one", extras="datasets"), "")
    assert done.id == "one-2"
    assert cluster.deleted == ["one"]
    first, second = cluster.sent
    assert first.environment == {}
    assert second.environment["pip"][0].endswith(".whl[datasets]")
    assert second.metadata["extras"] == "datasets"
    assert said == ["the cluster has no distsearch: sending this one along"]


def test_a_cluster_known_to_lack_distsearch_is_sent_it_at_once(said):
    cluster = ScriptedCluster(known=[described("old-2", run="old", extras="")])
    assert submit(cluster, Submission(["run", "--name", "one"], "one"), "").id == "one"
    assert len(cluster.sent) == 1
    assert "pip" in cluster.sent[0].environment


def test_ids_are_never_reused(said):
    known = [described("one", run="one"), described("one-2", run="one"), described("two-2", run="two")]
    cluster = ScriptedCluster(known=known)
    assert submit(cluster, Submission(["resume", "one"], "one"), "").id == "one-3"
    assert submit(cluster, Submission(["resume", "two"], "two"), "").id == "two-3"
    assert submit(cluster, Submission(["resume", "one"], "one"), "mine").id == "mine"
    with pytest.raises(UserError, match="already has a job one-2: choose another --job"):
        submit(cluster, Submission(["resume", "one"], "one"), "one-2")


def test_an_id_has_only_characters_that_ray_accepts(said):
    cluster = ScriptedCluster()
    assert submit(cluster, Submission(["resume", "my run/1?"], "my run/1?"), "").id == "my-run-1-"
    with pytest.raises(UserError, match="--job: expected letters, digits, dots, dashes and underscores, got 'a/b'"):
        submit(cluster, Submission(["resume", "one"], "one"), "a/b")


@pytest.mark.parametrize("name", ["../one", "/one", "..", "a/b"])
def test_a_cluster_cannot_choose_where_a_run_is_written(tmp_path, name):
    with pytest.raises(ClusterError, match="expected the name of a run"):
        fetch(ScriptedCluster(), described("one", run=name), tmp_path)


def test_files_sent_with_a_run_are_sent_again_when_it_is_resumed(tmp_path, said):
    (tmp_path / "my.csv").write_text("1,2")
    (tmp_path / "search.toml").write_text("")
    cluster = ScriptedCluster(known=[described("old", run="old")])
    data, settings = {"data/my.csv": tmp_path / "my.csv"}, {"settings/search.toml": tmp_path / "search.toml"}
    begin = Submission(["run", "--name", "one"], "one", "/results", data, settings)
    submit(cluster, begin, "")
    metadata = cluster.sent[-1].metadata
    assert json.loads(metadata["files"]) == {"data/my.csv": str(tmp_path / "my.csv")}
    cluster.known.append(described("one", **metadata, extras="datasets"))
    submit(cluster, Submission(["resume", "one"], "one"), "")
    again = cluster.sent[-1]
    assert again.metadata == {**metadata, "extras": "datasets"}
    assert shell(again.command)[1:] == ["resume", "one", "--runs", "/results"]
    (tmp_path / "my.csv").unlink()
    with pytest.raises(UserError, match=r"my\.csv, which was sent with the run one, no longer exists: put it back, or"):
        submit(cluster, Submission(["resume", "one"], "one"), "")
    (tmp_path / "moved.csv").write_text("1,2")
    moved = {"moved.csv": tmp_path / "moved.csv"}
    submit(cluster, Submission(["resume", "one", "--data", "moved.csv"], "one", files=moved, moved=True), "")
    assert json.loads(cluster.sent[-1].metadata["files"]) == {"moved.csv": str(tmp_path / "moved.csv")}


def test_of_several_runs_of_a_name_the_latest_job_s_is_resumed(said):
    known = [described("one", run="one", runs="/results"), described("one-2", run="one")]
    cluster = ScriptedCluster(known=known)
    submit(cluster, Submission(["resume", "one"], "one"), "")
    assert shell(cluster.sent[-1].command)[1:] == ["resume", "one"]


def test_a_fetched_run_arrives_and_its_helper_job_is_deleted(tmp_path):
    stored, _ = search(tmp_path / "there", name="one", rounds=5)
    cluster = ScriptedCluster([("RUNNING", None, ""), ("SUCCEEDED", 0, pack(stored.path))])
    path = fetch(cluster, described("one-2", run="one", runs="/my results"), tmp_path / "here")
    assert path == tmp_path / "here" / "one"
    assert (path / "losses.bin").read_bytes() == (stored.path / "losses.bin").read_bytes()
    [sent] = cluster.sent
    assert shell(sent.command)[1:] == ["pack", "one", "--runs", "/my results"]
    assert sent.metadata == {"distsearch": "pack"}
    assert cluster.deleted == [sent.job]
    with pytest.raises(UserError, match="already exists: choose another folder with --to"):
        fetch(cluster, described("one", run="one"), tmp_path / "here")
    assert len(cluster.sent) == 1


def test_a_run_whose_name_no_id_can_have_is_fetched(tmp_path):
    stored, _ = search(tmp_path / "there", name="a#b?", rounds=3)
    cluster = ScriptedCluster([("SUCCEEDED", 0, pack(stored.path))])
    assert fetch(cluster, described("a-b-", run="a#b?"), tmp_path / "here").name == "a#b?"
    assert cluster.sent[0].job.startswith("pack-a-b--")


def test_a_run_that_cannot_be_fetched_says_why(tmp_path):
    cluster = ScriptedCluster([("FAILED", 2, "distsearch: /runs/one is not there\n")])
    with pytest.raises(ClusterError, match="^the run one cannot be fetched: /runs/one is not there$"):
        fetch(cluster, described("one", run="one"), tmp_path)
    assert cluster.deleted == [cluster.sent[0].job]
    assert list(Path(tmp_path).iterdir()) == []
