"""A third-party package, installed as users would: everything it offers is found, used, verified and resumed."""

import json
import os
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from waiting import PATIENCE

pytestmark = pytest.mark.slow

OUTSIDE = Path(__file__).parent / "outside"


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A Python with the package installed beside everything that this one has."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    python = folder / "venv" / "bin" / "python"
    own = subprocess.check_output([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True)
    site = Path(own.strip())
    here = [path for path in sys.path if path.endswith("site-packages")]
    (site / "beside.pth").write_text("".join(f"import site; site.addsitedir({path!r})\n" for path in here))
    with zipfile.ZipFile(wheel(folder)) as archive:  # as pip would, which an environment made by uv does not have
        archive.extractall(site)
    return python


def wheel(folder: Path) -> Path:
    """The package as a wheel, built without a build backend, since none may be installed."""
    project = tomllib.loads((OUTSIDE / "pyproject.toml").read_text())["project"]
    stem = f"{project['name'].replace('-', '_')}-{project['version']}"
    offers = "".join(
        f"[{group}]\n" + "".join(f"{name} = {path}\n" for name, path in points.items())
        for group, points in project["entry-points"].items()
    )
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file in (OUTSIDE / "distsearch_outside").glob("*.py"):
            archive.write(file, f"distsearch_outside/{file.name}")
        about = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        archive.writestr(f"{stem}.dist-info/METADATA", about)
        archive.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{stem}.dist-info/entry_points.txt", offers)
        record = "".join(f"{name},,\n" for name in archive.namelist())
        archive.writestr(f"{stem}.dist-info/RECORD", record)
    return path


@pytest.fixture
def run(installed, tmp_path):
    """Runs a distsearch command line with that Python, in a folder with data in the package's own format."""
    rows = [f"{x / 10};{y / 10};{x * y / 100}" for x in range(-9, 10) for y in range(-9, 10)]
    (tmp_path / "data.lines").write_text("\n".join(rows))

    def command(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [installed, "-m", "distsearch", *arguments],
            cwd=tmp_path,
            env={**os.environ, "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == code, done.stderr
        return done

    return command


SEARCH = [
    "run", "--data", "data.lines", "--strategy", "coordinate-search", "--shrink", "0.8", "--sigma", "0.3",
    "--loss", "soft-absolute", "--activation", "softsign", "--start", "tenth", "--layers", "max-out4,4", "--rounds",
    "80",
    "--name", "a",
]  # fmt: skip


def test_its_parts_are_used_on_workers_verified_and_resumed(run, tmp_path):
    alone = run(*SEARCH, "--workers", "0", "--json")
    result = json.loads(alone.stdout)
    assert result["loss"] < 0.5 * json.loads(run("show", "a", "--json").stdout)["history"][0]["center_loss"]
    run(*SEARCH[:-1], "b", "--workers", "2")
    assert (tmp_path / "runs/a/losses.bin").read_bytes() == (tmp_path / "runs/b/losses.bin").read_bytes()
    assert "identical" in run("verify", "b", "--rounds", "all").stdout
    run("resume", "b", "--rounds", "5", "--workers", "1")
    assert (
        "85 rounds decided again, all candidates of 85 of them evaluated again: identical"
        in run("verify", "b", "--rounds", "all", "--workers", "1").stdout
    )
    run("replay", "b", "--to", "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "runs/b/best.safetensors").read_bytes()
    assert len(run("predict", "b", "data.lines").stdout.splitlines()) == 1 + 19 * 19
    assert "data.lines" in run("evaluate", "b", "--data", "data.lines").stdout


def test_its_parts_are_listed_with_their_settings(run):
    assert "coordinate-search" in run("strategies").stdout
    assert "--shrink" in run("run", "--help-all").stdout
    listed = json.loads(run("strategies", "coordinate-search", "--json").stdout)
    assert "shrink" in [each["name"] for each in listed[0]["settings"]]
    refused = run("run", "--loss", "soft-absolut", "--workers", "0", code=2).stderr
    assert "unknown loss 'soft-absolut': did you mean 'soft-absolute'?" in refused


def test_the_run_records_where_the_code_came_from(run, installed, tmp_path):
    run(*SEARCH, "--workers", "0")
    manifest = json.loads((tmp_path / "runs/a/manifest.json").read_text())
    assert {(each["kind"], each["name"], each["package"], each["version"]) for each in manifest["code"]} == {
        (kind, name, "distsearch-outside", "1.2.3")
        for kind, name in (
            ("strategy", "coordinate-search"),
            ("loss", "soft-absolute"),
            ("layer", "max-out"),
            ("activation", "softsign"),
            ("start", "tenth"),
            ("reader", "lines"),
        )
    }
    where = "import distsearch_outside.log_cosh as module; print(module.__file__)"
    file = Path(subprocess.check_output([installed, "-c", where], text=True).strip())
    before = file.read_text()
    try:
        file.write_text(before.replace("np.log(2)", "np.log(2.5)"))
        changed = "the code of the loss soft-absolute has changed since (it was that of distsearch-outside 1.2.3)"
        assert changed in run("resume", "a", "--rounds", "3", "--workers", "0", code=2).stderr
        found = run("verify", "a", code=1)
        assert changed in found.stderr
        assert "losses come out differently" in found.stdout
    finally:
        file.write_text(before)
    run("resume", "a", "--rounds", "3", "--workers", "0")


def test_it_passes_the_checks_for_its_kind(installed, tmp_path):
    program = (
        "from distsearch import testing; from distsearch_outside import coordinate_search, lines, log_cosh\n"
        "[check(coordinate_search.CoordinateSearch) for check in testing.STRATEGY_CHECKS]\n"
        "[check(log_cosh.LogCosh) for check in testing.LOSS_CHECKS]\n"
        "open('a.lines', 'w').write('1;2;3\\n4;5;6')\n"
        "testing.check_reader(lines.read, 'a.lines')"
    )
    subprocess.run([installed, "-c", program], cwd=tmp_path, check=True, timeout=PATIENCE)
