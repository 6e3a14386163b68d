"""The HTML report, as a browser shows it."""

import re
import shlex
import shutil

import numpy as np
import pytest
from browser import opened
from msgspec import structs
from typer.main import get_command

from distsearch.cli.app import application
from distsearch.cli.options import given_settings
from distsearch.config import from_flags
from distsearch.errors import RunError
from distsearch.reports import commands, html, page, sections
from distsearch.reports.curves import timeline
from distsearch.reports.figures import Bars, Confusion, Curves, Line
from distsearch.reports.subjects import Subject
from distsearch.runs.directory import StoredRun
from distsearch.runs.events import Event, Share
from distsearch.search import session
from distsearch.search.assembly import assemble

MEASURES = "<script>document.body.dataset.width = `${root.scrollWidth} of ${innerWidth}`</script></body>"


@pytest.fixture(scope="module")
def report(subjects, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page.report([subjects["nodes"], subjects["climb0"]]).replace("</body>", MEASURES))
    return path


@pytest.mark.parametrize(("width", "dark"), [(400, True), (1400, False)])
def test_a_browser_draws_the_whole_page_without_an_error(report, width, dark):
    seen = opened(report, width, dark)
    assert seen.console == []
    assert f'data-theme="{"dark" if dark else "light"}"' in seen.document
    curves = re.findall(r"<svg[^>]*aria-label=\"([^\"]*)\".*?</svg>", seen.document, re.DOTALL)
    assert set(curves) >= {"Best loss", "Accuracy"}
    assert "NaN" not in "".join(re.findall(r"<svg.*?</svg>", seen.document, re.DOTALL))
    whole, window = map(int, re.search(r'data-width="(\d+) of (\d+)"', seen.document).groups())
    assert whole <= window, "nothing is wider than the window"


USED = """<script>
const place = document.querySelector(".plot"), left = place.getBoundingClientRect().left, said = document.body.dataset;
const point = (type, x) => place.dispatchEvent(
  new PointerEvent(type, { clientX: left + x, pointerType: "mouse", button: 0, bubbles: true }));
point("pointermove", 150);
said.tip = place.querySelector(".tip").textContent;
point("pointerdown", 100); point("pointermove", 200); point("pointerup", 200);
said.zoom = drawn[0].zoom.join(" to ");
said.button = getComputedStyle(place.querySelector(".all")).display;
place.dispatchEvent(new Event("dblclick"));
said.after = drawn[0].zoom;
</script></body>"""


def test_hovering_shows_values_and_dragging_zooms(report, subjects):
    used = report.with_name("used.html")
    used.write_text(report.read_text().replace("</body>", USED))
    seen = opened(used, 1400)
    assert seen.console == []
    said = dict(re.findall(r'data-(tip|zoom|button|after)="([^"]*)"', seen.document))
    assert said["tip"].startswith("forward passes over the training examples: ")
    losses = re.findall(r"(?:nodes|climb0): ([\d.]+)", said["tip"])
    assert len(losses) == 2
    low, high = map(float, said["zoom"].split(" to "))
    assert 0 < low < high < max(subjects[name].rounds[-1].passes for name in ("nodes", "climb0"))
    assert (said["button"], said["after"]) == ("block", "null")


LOOKED_AT = """<script>
const said = document.body.dataset, scroll = document.querySelector(".confusion").parentElement;
said.cut = scroll.scrollWidth - scroll.clientWidth;
said.before = [...document.querySelectorAll(".plot svg g text")].some((each) => each.getBBox().x < drawn[0].box.left);
said.y = document.querySelector("figure .soft").textContent;
said.ticks = [allShown([0.96, 0.9605, 0.961], true), allShown([0, 0.5, 1]), allShown([5000, 10000, 15000]),
  allShown([0.1, 1, 10])].map((each) => each.join(" ")).join(", ");
</script></body>"""


def test_nothing_is_cut_off_and_numbers_are_written_alike(tmp_path, thirty_classes):
    line = Line("", np.arange(2.0, 9.0), np.arange(7.0))
    figures = [
        Curves("Speed", "time [s]", "passes per second", (line,), marks=((0.5, "2 workers"),)),
        Confusion("Ten digits", tuple("0123456789"), np.full((10, 10), 180)),
        thirty_classes,
    ]
    path = tmp_path / "page.html"
    body = html.figures(map(html.figure, [*figures, figures[0]]))
    path.write_text(html.page("t", [body]).replace("</body>", LOOKED_AT))
    seen = opened(path, 1400)
    assert seen.console == []
    said = dict(re.findall(r'data-(cut|before|y|ticks)="([^"]*)"', seen.document))
    y = "passes per second"
    assert said == {
        "cut": "0",
        "before": "false",
        "y": y,
        "ticks": "96.00% 96.05% 96.10%, 0 0.5 1.0, 5k 10k 15k, 0.1 1 10",
    }


def test_an_error_in_a_page_is_noticed(report):
    broken = report.with_name("broken.html")
    broken.write_text(report.read_text().replace("</body>", "<script>nothing.at.all()</script></body>"))
    assert any("nothing is not defined" in line for line in opened(broken, 800).console)


def test_it_is_self_contained(subjects):
    text = page.report([subjects["nodes"]])
    outside = re.sub(r"http://www\.w3\.org/2000/svg", "", text)
    assert re.findall(r'(?:src|href)="(?!data:)', outside) == []
    assert "default-src 'none'" in text
    assert "@import" not in text


def test_it_contains_what_an_engineer_looks_for(subjects):
    text = page.report([subjects["nodes"]])
    for words in ("Importance of the features", "Each class", "precision", "fingerprint", "numpy", "All settings"):
        assert words in text
    assert "distsearch verify nodes --rounds all" in text
    assert "Predictions of price" in page.report([subjects["price"]])


def typed(command: str) -> dict[str, object]:
    """The flags of a command line of `distsearch run`."""
    words = shlex.split(command)
    with get_command(application(words[1:])).commands["run"].make_context("run", words[2:]) as context:
        return given_settings(context.params)


@pytest.mark.parametrize("data", ["vertical", "iris", "my.csv"])
@pytest.mark.parametrize("chosen", [{}, {"strategy": "hill-climb", "layers": [3]}, {"layers": [100]}])
def test_its_command_says_what_is_not_usual_on_its_data(data, chosen):
    config = from_flags({"data": data, **chosen})
    assert from_flags(typed(commands.command(config))) == config


def test_its_command_reproduces_the_run_to_the_bit(subjects, tmp_path):
    for name in ("nodes", "price"):
        config = commands.shortest(subjects[name].config, subjects[name].stored.manifest.fingerprint)
        again = from_flags({**typed(commands.command(config)), "runs": str(tmp_path), "name": name, "workers": 0})
        found = session.run(assemble(again))
        assert found.state.best.weights.tobytes() == subjects[name].model.weights.tobytes()


def test_its_command_leaves_out_what_the_search_chooses_by_itself(subjects):
    stored = subjects["nodes"].stored
    words = shlex.split(commands.command(commands.shortest(stored.config, stored.manifest.fingerprint)))
    assert {"--loss", "--start", "--rate", "--decay", "--measure-every", "--validation-share"} & set(words) == set()
    assert set(words) < set(shlex.split(commands.command(stored.config)))
    assert commands.shortest(stored.config, "of other data") == stored.config


def test_a_column_in_which_no_run_has_anything_is_left_out():
    rows = [("a", "–", "1", ""), ("b", "–", "–", "")]
    text = html.filled_table(rows, ("run", "test", "loss", ""), (1, 2))
    assert re.findall("<th[^>]*>(.*?)</th>", text) == ["run", "loss"]
    assert re.findall('<td class="number">(.*?)</td>', text) == ["1", "–"]
    assert "<td>a</td>" in text


def test_text_from_files_is_escaped():
    evil = "<img src=x onerror=alert(1)>\"'</script>"
    odd = Curves(evil, evil, evil, (Line(evil, np.arange(3.0), np.arange(3.0)),), marks=((1.0, evil),), note=evil)
    for shown in (
        html.definitions([(evil, evil)]),
        html.table([[evil]], [evil]),
        html.cards([(evil, evil)]),
        html.figure(Bars(evil, evil, (evil,), (1.0,), evil)),
        html.figure(Confusion(evil, (evil, evil), np.eye(2, dtype=np.int64), evil)),
        html.figure(odd),
        html.page(evil, []),
    ):
        assert "<img" not in shown
        assert "onerror" in shown


def test_it_says_when_workers_joined_and_left(subjects):
    subject = subjects["climb0"]
    events = (
        Event(round=2, seconds=0.5, workers=2, retried=0),
        Event(round=9, seconds=1.25, workers=1, retried=0),
        Event(round=9, seconds=1.5, workers=1, retried=3),
        Event(round=10, seconds=1.5, workers=1, retried=5),
    )
    stored = StoredRun(subject.stored.path)
    stored.manifest = structs.replace(stored.manifest, events=events)
    told = Subject(stored)
    assert '<td class="number">1.25 s</td>' in sections.computed(told)
    assert timeline([told]).marks == ((0.5, "2 workers"), (1.25, "only 1 worker"), (1.5, "5 done again"))


def test_it_says_who_has_computed_how_much(subjects):
    subject = subjects["climb0"]
    units = subject.rounds[-1].candidates
    shares = (
        Share(host="here", units=units // 2, busy=1.5, joined=0.25),
        Share(host="there", units=units // 4, busy=0.5, joined=0.5, lost=1.75),
    )
    stored = StoredRun(subject.stored.path)
    stored.manifest = structs.replace(stored.manifest, shares=shares)
    rows = list(sections._shares(Subject(stored)))
    assert [row[1] for row in rows] == [f"{units - units // 2 - units // 4:,}", f"{units // 2:,}", f"{units // 4:,}"]
    assert rows[2][0] == "worker 2, there"
    assert rows[2][3:] == ("0.50 s", "0.50 s", "lost at 1.75 s")
    note = timeline([Subject(stored)]).note
    assert note.startswith("Computed by its own process 25%, worker 1 (here) 50%, worker 2 (there, lost at 1.75 s) 25%")


def test_missing_data_is_reported_and_the_rest_is_shown(folder, tmp_path):
    shutil.copytree(folder / "runs" / "price", tmp_path / "price")
    stored = StoredRun(tmp_path / "price")
    gone = str(tmp_path / "gone.csv")
    stored.config = structs.replace(stored.config, data=structs.replace(stored.config.data, source=gone))
    stored.manifest = structs.replace(stored.manifest, source=gone)
    text = page.report([Subject(stored)])
    assert "Its data is not at hand" in text
    assert "gone.csv" in text
    assert "Best loss" in text


def test_it_says_which_weights_those_of_a_run_that_has_not_ended_are(folder, tmp_path):
    path = shutil.copytree(folder / "runs" / "nodes", tmp_path / "nodes")
    (path / "result.json").unlink()
    said = "nodes has not ended: its weights are those of its last checkpoint, after 20 rounds."
    assert said in page.report([Subject(StoredRun(path))])
    assert "has not ended: its weights" not in page.report([Subject(StoredRun(folder / "runs" / "nodes"))])


def test_a_run_without_rounds_is_refused(folder, tmp_path):
    shutil.copytree(folder / "runs" / "climb0", tmp_path / "new")
    for name in ("history.jsonl", "losses.bin"):
        (tmp_path / "new" / name).write_bytes(b"")
    (tmp_path / "new" / "result.json").unlink()
    with pytest.raises(RunError, match="new has no rounds yet"):
        page.report([Subject(StoredRun(tmp_path / "new"))])


@pytest.mark.parametrize(
    ("metrics", "name", "value"),
    [({"f1": 0.91234, "test-f1": 0.87654}, "test f1", "0.8765"), ({"f1": 0.91234}, "f1", "0.9123")],
)
def test_metrics_that_were_asked_for_are_among_the_key_figures(subjects, monkeypatch, metrics, name, value):
    subject = subjects["climb0"]
    result = structs.replace(subject.stored.result, metrics=metrics)
    monkeypatch.setattr(StoredRun, "result", property(lambda stored: result))
    text = re.sub(r"<[^>]*>", "|", sections.key_figures(subject))
    assert re.findall(r"\|([a-z ]*f1)\|+([0-9.]+)\|", text) == [(name, value)]
