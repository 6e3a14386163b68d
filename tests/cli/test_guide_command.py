"""`distsearch guide`: the pages in the terminal."""

from pathlib import Path

import pytest
from programs import ENVIRONMENT, on_terminal, refused, succeeded

import distsearch

PAGES = Path(distsearch.__file__).parent / "guide"


def test_all_pages_are_listed_with_their_titles(tmp_path):
    listed = dict(line.split(maxsplit=1) for line in succeeded("guide", cwd=tmp_path).stdout.splitlines())
    assert set(listed) == {page.stem for page in PAGES.glob("*.md")}
    assert listed["storage"] == "Shared storage"


def test_a_page_is_printed_without_the_comments_for_tests(tmp_path):
    text = (PAGES / "cluster.md").read_text("utf-8")
    printed = succeeded("guide", "cluster", cwd=tmp_path).stdout
    assert "<!--" in text
    assert printed == "".join(line for line in text.splitlines(keepends=True) if not line.startswith("<!--"))


def test_an_unknown_page_is_refused_with_the_nearest_name(tmp_path):
    sentence = refused("guide", "strategy", cwd=tmp_path)
    assert "did you mean 'strategies'" in sentence
    assert sentence.endswith(f"`distsearch guide` lists all {len(list(PAGES.glob('*.md')))}")


@pytest.mark.parametrize(("options", "coloured"), [({}, True), ({"LESS": "-iR"}, True), ({"LESS": "-i"}, False)])
def test_a_pager_is_sent_colours_only_if_it_shows_them(tmp_path, monkeypatch, options, coloured):
    monkeypatch.delitem(ENVIRONMENT, "LESS", raising=False)
    shown = on_terminal("guide", "runs", cwd=tmp_path, variables={"PAGER": "cat; echo LESS=$LESS", **options})
    assert "What is kept" in shown
    assert ("\x1b[" in shown) == coloured
    assert shown.rstrip().endswith(f"LESS={options.get('LESS', 'FRX')}")
