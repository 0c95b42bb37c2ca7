"""Pages of the command line: whole, escaped, readable without a network."""

from __future__ import annotations

from cdp_pipeline.core.page import draw_bar, draw_figures, draw_table, write_page


def test_a_page_is_whole_and_asks_for_nothing() -> None:
    page = write_page("<b>", ["<h1>one</h1>", "<h2>two</h2>"])
    assert page.startswith("<!doctype html>")
    assert "<title>&lt;b&gt;</title>" in page
    assert "<main><h1>one</h1><h2>two</h2></main>" in page
    assert not any(asking in page for asking in ("<script", "http:", "https:", "@import", "src="))


def test_names_are_escaped() -> None:
    assert draw_figures([("a<b", "7")]) == ('<div class="figures"><div><b>7</b>a&lt;b</div></div>')


def test_a_bar_is_as_long_as_its_share() -> None:
    assert 'class="bar" style="width:12.5%"' in draw_bar(0.125)
    assert 'class="bar minus" style="width:50.0%"' in draw_bar(0.5, is_negative=True)
    assert 'style="width:0.0%"' in draw_bar(-0.1)


def test_columns_of_a_table_have_their_kind() -> None:
    table = draw_table(["a&b", "n", "share"], [["x", "1", "||"]], numbers={1}, bars={2})
    assert '<tr><th>a&amp;b</th><th class="n">n</th><th class="b">share</th></tr>' in table
    assert '<tr><td>x</td><td class="n">1</td><td class="b">||</td></tr>' in table
    assert "<td>1</td>" in draw_table(["n"], [["1"]], numbers=set())
