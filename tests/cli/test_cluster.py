"""The cluster commands, against a real cluster: a head, a node and a token."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import clusters
import pytest
from clusters import Cluster, free_ports
from programs import Program, started
from searches import contents, search
from waiting import PATIENCE, awaited

pytestmark = pytest.mark.slow

TABLE = "a,b,level\n" + "".join(f"{x % 7},{x % 5},{'low' if x % 7 < 3 else 'high'}\n" for x in range(60))


class Client:
    """The program as a client of a cluster, in a folder of its own."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "DISTSEARCH_"))}
        self.environment = {
            **kept,
            "HOME": str(folder),
            "COLUMNS": "200",
            "NO_COLOR": "1",
            "RAY_API_SERVER_ADDRESS": cluster.address,
            "RAY_AUTH_TOKEN_PATH": str(cluster.token_file),
        }

    def started(self, *arguments: str, **variables: str) -> AbstractContextManager[Program]:
        return started(*arguments, cwd=self.folder, environment={**self.environment, **variables})

    def __call__(self, *arguments: str, code: int = 0, **variables: str) -> tuple[str, str]:
        """Its stdout and stderr; it has to exit with this code, and never with a traceback."""
        with self.started(*arguments, **variables) as process:
            out, err = process.communicate()
        assert process.returncode == code, out + err
        assert "Traceback" not in out + err
        return out, err

    def jobs(self) -> dict[str, dict[str, object]]:
        return {job["job"]: job for job in json.loads(self("jobs", "--json")[0])}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with clusters.running(Path(sys.executable).parent) as cluster:
        yield cluster


@pytest.fixture
def client(cluster, tmp_path) -> Client:
    return Client(cluster, tmp_path)


@pytest.fixture(scope="module")
def first(cluster, tmp_path_factory) -> tuple[str, str]:
    """What the submitted and followed search `first` printed."""
    return Client(cluster, tmp_path_factory.mktemp("first"))(
        "submit", "--", "run", "--rounds", "200", "--name", "first"
    )


def test_a_submitted_search_is_followed_listed_and_fetched_with_the_bytes_of_a_local_one(client, first, tmp_path):
    out, err = first
    assert err.endswith(f"job first at {client.cluster.address}\n")
    lines = out.splitlines()
    assert lines[0].startswith("vertical, hidden layers 3 (relu)")
    assert [line for line in lines if line.startswith("200 rounds · loss ")]
    assert lines[-1] == f"kept in {client.cluster.runs}/first"
    assert client("logs", "first") == (out, "")

    job = client.jobs()["first"]
    assert {name: job[name] for name in ("run", "status", "exit_code", "rounds")} == {
        "run": "first",
        "status": "succeeded",
        "exit_code": 0,
        "rounds": 200,
    }
    [line] = [line for line in client("jobs")[0].splitlines() if line.startswith("first ")]
    assert line.split()[1:4] == ["succeeded", "first", "200"]

    assert client("fetch", "first")[1] == "fetched runs/first\n"
    stored, _ = search(tmp_path / "local", rounds=200)
    assert contents(tmp_path / "runs" / "first") == contents(stored.path)
    assert "already exists: choose another folder with --to" in client("fetch", "first", code=2)[1]
    assert "identical" in client("verify", "first", "--rounds", "all")[0]
    assert not [job for job in client.jobs() if "pack" in job]  # the helper of fetch is gone


def test_a_stopped_search_keeps_a_checkpoint_and_resumes_with_the_data_sent_along(client, tmp_path):
    (tmp_path / "table.csv").write_text(TABLE)
    (tmp_path / "search.toml").write_text('[data]\nsource = "table.csv"\n[network]\nlayers = [4]\n')
    arguments = ["run", "--config", "search.toml", "--rounds", "1000000000", "--name", "table"]
    assert client("submit", "--no-wait", "--", *arguments)[0] == "table\n"
    awaited("the first rounds of the job", lambda: client.jobs()["table"]["rounds"])

    assert (
        client("fetch", "table", "--to", "half")[1]
        == "fetched half/table, with the progress so far; its job is still running\n"
    )
    _, err = client("stop", "table")
    first, second = err.splitlines()
    assert first.startswith("job table: stopped after ")
    assert second == "`distsearch submit -- resume table` continues it"
    stopped = client.jobs()["table"]
    assert stopped["status"] == "stopped"
    assert f" {stopped['rounds']:,} rounds" in first
    assert "job table has already ended: stopped" in client("stop", "table")[1]
    assert "job table was stopped" in client("logs", "table", "--follow", code=130)[1]

    out, err = client("submit", "--", "resume", "table", "--rounds", "50")
    assert "job table-2 at " in err
    rounds = stopped["rounds"] + 50
    assert f"in {rounds:,} rounds" in out
    client("fetch", "table")
    stored, _ = search(tmp_path / "local", data=str(tmp_path / "table.csv"), layers=[4], rounds=rounds)
    assert contents(tmp_path / "runs" / "table") == contents(stored.path)
    client("verify", "table")
    client("resume", "table", "--runs", "half", "--rounds", "5", "--workers", "0")  # taken in the middle


def test_a_failed_job_ends_with_its_program_s_exit_code(client, first):
    again = ["run", "--workers", "0", "--name", "first"]
    sentence = f"distsearch: {client.cluster.runs}/first already exists: choose another --name, or remove it first"
    out, err = client("submit", "--", *again, code=2)
    assert out.splitlines()[-1] == sentence
    assert "job first-2 at" in err
    assert client("submit", "--no-wait", "--", *again, code=2)[0].splitlines()[-1] == sentence


def test_ctrl_c_leaves_the_job_running_and_says_how_to_stop_it(client):
    with client.started("submit", "--", "run", "--rounds", "1000000000", "--name", "long") as process:
        assert process.stdout.readline().startswith("vertical")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert (
        "job long is still running: `distsearch logs long --follow` follows it, `distsearch stop long` stops it" in err
    )
    assert client.jobs()["long"]["status"] == "running"
    client("stop", "long")


def test_a_job_submitted_with_ray_s_own_command_is_a_search_too(client):
    ray = [sys.executable, "-m", "ray.scripts.scripts", "job", "submit", "--submission-id", "plain", "--"]
    environment = {**client.environment, "RAY_AUTH_MODE": "token"}
    words = ["distsearch", "run", "--workers", "0", "--rounds", "9", "--runs", str(client.cluster.runs)]
    subprocess.run([*ray, *words], env=environment, check=True, capture_output=True, timeout=PATIENCE)
    assert client.jobs()["plain"]["rounds"] == 9
    assert "was not sent by `distsearch submit`" in client("fetch", "plain", code=2)[1]


def test_every_refusal_by_the_cluster_is_one_sentence(client, first, tmp_path):
    address = client.cluster.address
    (tmp_path / "wrong").write_text("wrong")
    assert f"the cluster at {address} requires a token" in client("jobs", code=2, RAY_AUTH_TOKEN_PATH="")[1]
    assert f"the cluster at {address} refuses this token" in client("jobs", "--token-file", "wrong", code=2)[1]
    [port] = free_ports(1)
    _, err = client("submit", "--address", f"127.0.0.1:{port}", "--", "run", code=3)
    assert err.startswith(f"distsearch: no Ray cluster answers at http://127.0.0.1:{port} (")
    assert client("jobs", "--address", address, RAY_API_SERVER_ADDRESS=f"http://127.0.0.1:{port}")[0]
    assert "unknown job 'frist': did you mean 'first'?" in client("logs", "frist", code=2)[1]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "--rouds", "3"], "unknown option '--rouds': did you mean '--rounds'"),
        (["rnu"], "unknown command 'rnu': did you mean 'run'? "),
        (["list"], "submit: expected run or resume, got list"),
        (["run", "--rounds", "0"], "--rounds: "),
        (["run", "--strategy", "hill-clmb"], "unknown strategy 'hill-clmb': did you mean 'hill-climb'?"),
        (["run", "--rank", "3"], "--rank: a setting of evolution-strategy, not of hill-climb"),
        (["run", "--data", "digist"], "unknown data set 'digist': did you mean 'digits'?"),
        (["run", "--config", "gone.toml"], "cannot read the configuration gone.toml"),
        (["run", "--name", "a/b"], "expected a plain name for the run, got 'a/b'"),
        (["run", "--runs", "results"], "--runs: expected a folder on the cluster, such as /results or ~/runs"),
        (["resume"], "expected RUN after `distsearch resume`"),
    ],
)
def test_local_mistakes_are_reported_before_anything_is_sent(tmp_path, arguments, sentence):
    nowhere = Client(Cluster("http://127.0.0.1:9", tmp_path / "token", tmp_path), tmp_path)
    assert sentence in nowhere("submit", "--", *arguments, code=2)[1]


@pytest.fixture(scope="module")
def foreign(tmp_path_factory) -> Iterator[Cluster]:
    pytest.importorskip("pip")
    programs = clusters.foreign_environment(tmp_path_factory.mktemp("foreign"))
    with clusters.running(programs, PYTHONPATH="") as cluster:
        yield cluster


def test_a_cluster_without_distsearch_is_sent_it(foreign, tmp_path):
    client = Client(foreign, tmp_path)
    (tmp_path / "table.csv").write_text(TABLE)
    _, err = client("submit", "--", "run", "--data", str(tmp_path / "table.csv"), "--rounds", "60", "--name", "one")
    assert err.startswith("the cluster has no distsearch: sending this one along\n")
    assert set(client.jobs()) == {"one-2"}
    assert client("submit", "--no-wait", "--", "resume", "one", "--rounds", "40")[0] == "one-3\n"
    client("logs", "one-3", "--follow")
    client("fetch", "one")
    stored, _ = search(tmp_path / "local", data=str(tmp_path / "table.csv"), rounds=100)
    assert contents(tmp_path / "runs" / "one") == contents(stored.path)


def test_a_cluster_that_cannot_install_it_says_so(foreign, tmp_path):
    from distsearch.jobs.access import Access
    from distsearch.jobs.cluster import Cluster as Jobs

    jobs = Jobs(Access.of(foreign.address, foreign.token_file, {}))
    environment = {"pip": {"packages": ["distsearch-that-is-nowhere"], "pip_install_options": ["--no-index"]}}
    jobs.submit("broken", "distsearch run", {"distsearch": "run", "run": "broken"}, environment)
    _, err = Client(foreign, tmp_path)("logs", "broken", "--follow", code=3)
    assert err.startswith(
        "distsearch: job broken failed: the cluster could not install distsearch and its dependencies ("
    )
    assert "distsearch-that-is-nowhere" in err
