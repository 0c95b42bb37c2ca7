from __future__ import annotations

from cdp_pipeline.quality.docs import settle_page

PAGE = """<head><link rel="x" href="https://cdn.example/a.css"><script src="https://cdn.example/b.js">
</script><script>var kept = 1;</script></head><img src="https://assets.example/logo.png?d=1">
<a href="#c-2330390a-cd3b-4db9-9d13-1082ce114335"></a>
<div id="c-2330390a-cd3b-4db9-9d13-1082ce114335"><span>20261124T140137.320121Z</span></div>
<form action="https://news.example">join</form><a href="../index.html">Home</a>"""


def test_a_page_keeps_its_content_and_loses_clock_chance_and_other_servers() -> None:
    settled = settle_page(PAGE, root="../../")
    assert "https://" not in settled
    assert "20261124T" not in settled
    assert settled.count("c-id1") == 2
    assert "var kept = 1;" in settled
    assert '<a href="../index.html">Home</a>' in settled
    assert '<link rel="stylesheet" href="../../static/styles/offline.css"></head>' in settled
