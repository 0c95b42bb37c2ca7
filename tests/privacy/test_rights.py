"""A person is given all that is held, then erased from everything; nobody else is touched."""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import jsonschema
import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.orchestration.demo import DemoSpec, run_demo
from cdp_pipeline.orchestration.runner import run_night
from cdp_pipeline.rights import erasure, versions
from cdp_pipeline.rights.access import SCHEMA_FILE, collect_access
from cdp_pipeline.rights.access_page import render_access
from cdp_pipeline.rights.certifying import Certificate
from cdp_pipeline.rights.erasure import (
    erase_people,
    find_people,
    open_resolver,
    resume_erasures,
)
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.versions import current_version, published_versions, verify
from cdp_pipeline.storage.warehouse import fetch_dicts, fetch_value, open_whole

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:great_expectations.*"),
]
ROOT = Path(__file__).resolve().parents[2]

BUSIEST = """
select m.customer_id
from identity.customer_map as m
inner join core.customer_contact as c on c.customer_id = m.customer_id
inner join (select distinct customer_id from ops.export_members) as e
    on e.customer_id = m.customer_id
where c.email is not null
group by m.customer_id
order by count(distinct m.source) desc, count(*) desc, m.customer_id
limit 1
"""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> RunContext:
    settings = load_settings(ROOT, data_dir=tmp_path_factory.mktemp("rights") / "data")
    outcome = run_demo(
        ROOT, settings, DemoSpec(customers=600, nights=1), say=lambda _text: None, listener=None
    )
    return RunContext(outcome.business_dates[-1], "privacy", ROOT, settings)


@pytest.fixture
def context(published: RunContext, tmp_path: Path) -> RunContext:
    data = tmp_path / "data"
    shutil.copytree(published.data_dir, data, symlinks=True)
    settings = published.settings.model_copy(
        update={"data_dir": data, "landing_dir": data / "landing"}
    )
    return RunContext(published.business_date, "privacy", ROOT, settings)


def _erase(context: RunContext, customer: str) -> Certificate:
    with open_resolver(context) as con:
        subjects = find_people(con, context, [customer])
    return erase_people(context, subjects, reason="test")


def _busiest(context: RunContext) -> tuple[str, dict[str, str]]:
    with open_whole(context.settings) as con:
        customer = str(fetch_value(con, BUSIEST))
        contact = fetch_dicts(
            con,
            "select email, phone, loyalty_id, account_id from core.customer_contact "
            "where customer_id = ?",
            [customer],
        )[0]
    return customer, {name: value for name, value in contact.items() if value}


def _files(root: Path) -> Iterator[Path]:
    for path in sorted(root.rglob("*")):
        told = {"pending", "erasures"} & set(path.parts)
        if path.is_file() and not path.is_symlink() and not told:
            yield path


def test_everything_is_given_out_then_erased(context: RunContext) -> None:
    customer, contact = _busiest(context)
    with open_resolver(context) as con:
        subject = find_people(con, context, [customer])[0]
        turnover = fetch_value(con, "select sum(net_amount) from core.fct_sales")
    document = collect_access(context, subject)
    page = render_access(document)
    assert json.loads(json.dumps(document)) == document
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(document)
    assert {row["kind"] for row in document["identifiers"]} >= {"email"}
    assert all(value in page for value in contact.values() if value.isalnum())
    given = {table["table"]: len(table["rows"]) for table in document["tables"]}
    certificate = _erase(context, customer)
    assert certificate.facts["left"] == 0
    current = current_version(DataPaths.of(context))
    assert current is not None
    gone = certificate.facts["versions"][current.name]["rows"]
    # What was given out is what went: identity also spends ids and counts households again.
    for name, rows in given.items():
        assert gone.get(name) == rows or name.startswith("identity."), name
    for version in published_versions(DataPaths.of(context)):
        assert verify(version) == []
    with open_whole(context.settings) as con:
        assert fetch_value(con, "select sum(net_amount) from core.fct_sales") == turnover
    needles = [contact["email"].encode(), customer.encode()]
    for path in _files(context.data_dir):
        data = path.read_bytes().lower()
        assert not any(needle.lower() in data for needle in needles), path


MANY = """
with held as (
    select distinct m.customer_id, r.email
    from identity.records as r
    inner join identity.customer_map as m on m.source = r.source and m.record_key = r.record_key
    where r.email is not null
),

shared as (select email from held group by email having count(*) > 1)

select customer_id, lower(email)
from core.customer_contact
where
    email is not null
    and customer_id not in (select customer_id from held where email in (select email from shared))
order by customer_id
limit 100
"""
_ADDRESSES = re.compile(rb"[a-z0-9._+-]+(?:@|%40)[a-z0-9.-]+|[0-9a-f]{64}")


def _told(path: Path) -> set[bytes]:
    """Return every address and every hash in a file, by none of the readers that erase."""
    data = path.read_bytes()
    with duckdb.connect() as con:
        if path.suffix == ".parquet":
            rows = con.execute("from read_parquet(?)", [str(path)]).fetchall()
            data += repr(rows).encode()
        elif path.suffix == ".gz":
            data += gzip.decompress(data)
        elif path.suffix == ".duckdb":
            con.execute(f"attach '{path}' as w (read_only)")
            for schema, table in con.execute(
                "select schema_name, table_name from duckdb_tables() where database_name = 'w'"
            ).fetchall():
                data += repr(con.execute(f'from w."{schema}"."{table}"').fetchall()).encode()
    return set(_ADDRESSES.findall(data.lower()))


def test_a_hundred_people_are_erased_at_once_to_the_cent(
    context: RunContext, record_property: Callable[[str, int], None]
) -> None:
    with open_resolver(context) as con:
        asked = dict(con.execute(MANY).fetchall())
        subjects = find_people(con, context, list(asked))
        turnover = fetch_value(con, "select sum(net_amount) from core.fct_sales")
    forms = {
        form
        for email in asked.values()
        for form in (
            email.encode(),
            quote(email).lower().encode(),
            hashlib.sha256(email.encode()).hexdigest().encode(),
        )
    }
    assert any(forms & _told(path) for path in _files(context.data_dir))
    began = time.process_time()
    certificate = erase_people(context, subjects, reason="test")
    record_property("people", len(subjects))
    record_property("CPU seconds", round(time.process_time() - began))
    assert certificate.facts["left"] == 0
    assert {
        str(path): left for path in _files(context.data_dir) if (left := forms & _told(path))
    } == {}
    with open_whole(context.settings) as con:
        assert fetch_value(con, "select sum(net_amount) from core.fct_sales") == turnover


def test_versions_share_without_the_person_what_they_shared_before(context: RunContext) -> None:
    paths = DataPaths.of(context)
    first = current_version(paths)
    assert first is not None
    second = paths.versions / f"{first.sequence + 1:06d}-{first.business_date}"
    shutil.copytree(first.path, second, copy_function=os.link)
    paths.current.unlink()
    paths.current.symlink_to(Path("versions") / second.name)
    customer, _ = _busiest(context)
    assert _erase(context, customer).facts["left"] == 0
    names = [p.relative_to(second) for p in second.rglob("*") if p.is_file()]
    apart = {n.name for n in names if not (first.path / n).samefile(second / n)}
    assert apart <= {"cdp.duckdb", "MANIFEST.json"}
    assert [problem for v in published_versions(paths) for problem in verify(v)] == []


def test_an_erasure_that_died_is_finished(
    context: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer, _ = _busiest(context)
    whole = versions.exchange

    def die(*_: Path) -> None:
        message = "power cut"
        raise OSError(message)

    monkeypatch.setattr(versions, "exchange", die)
    with pytest.raises(OSError, match="power cut"):
        _erase(context, customer)
    monkeypatch.setattr(versions, "exchange", whole)
    certificates = resume_erasures(context)
    assert [certificate.facts["left"] for certificate in certificates] == [0]
    assert resume_erasures(context) == []


def test_the_next_night_runs_without_the_person(context: RunContext) -> None:
    customer, contact = _busiest(context)
    landing = context.settings.landing_dir
    assert landing is not None
    old = {path: path.read_bytes() for path in sorted(landing.rglob("*")) if path.is_file()}
    _erase(context, customer)
    for path, data in old.items():  # somebody puts all old files back
        path.write_bytes(data)
    night = RunContext(context.business_date, f"night-{context.business_date}", ROOT,
                       context.settings)  # fmt: skip
    outcome = run_night(night)
    assert outcome.status in {"published", "unchanged"}, outcome.error
    with open_whole(context.settings) as con:
        found = fetch_value(
            con,
            "select count(*) from core.customer_contact where email = ? or loyalty_id = ?",
            [contact["email"], contact.get("loyalty_id")],
        )
    assert found == 0
    needle = contact["email"].encode()
    for path in _files(landing):
        assert needle not in path.read_bytes().lower(), path


def test_words_in_links_of_others_go_and_their_rows_stay(context: RunContext) -> None:
    customer, contact = _busiest(context)
    landing = context.settings.landing_dir
    assert landing is not None
    day = context.business_date
    (events,) = sorted((landing / "web_events" / day.isoformat()).glob("*.jsonl"))
    visit = json.loads(events.read_text(encoding="utf-8").splitlines()[0])
    link = f"/pay?next={quote('/unsubscribe?m=' + quote(contact['email']), safe='')}"
    nobodys = {**visit, "event_id": "0123456789abcdef", "cookie_id": None, "account_id": None,
               "url": link}  # fmt: skip
    broken = {**nobodys, "event_id": "fedcba9876543210", "event_type": "glance"}
    lines = "".join(json.dumps(event) + "\n" for event in (nobodys, broken))
    events.with_name(f"web_events_{day:%Y%m%d}_2.jsonl").write_text(lines)
    night = RunContext(day, f"night-{day}", ROOT, context.settings)
    outcome = run_night(night)
    assert outcome.status == "published", outcome.error
    told = "select url from core.fct_web_events where event_id = '0123456789abcdef'"
    with open_whole(context.settings) as con:
        assert fetch_value(con, told) == link
    facts = _erase(context, customer).facts
    assert facts["left"] == 0
    assert facts["files_with_mentions"] >= 2, "what was staged, and the version's"
    with open_whole(context.settings) as con:
        left = str(fetch_value(con, told))
    assert left.startswith("/pay?next=")
    assert "[erased]" in left
    assert all(verify(version) == [] for version in published_versions(DataPaths.of(context)))
    aside = sorted((DataPaths.of(context).quarantine / "web_events").glob("*.parquet"))
    raw = "select count(*) from read_parquet(?) where raw like '%fedcba9876543210%[erased]%'"
    assert fetch_value(duckdb.connect(), raw, [[str(path) for path in aside]]) == 1


def test_an_erasure_whose_deliveries_cannot_be_rewritten_goes_on_later(
    context: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer, contact = _busiest(context)
    certificates = DataPaths.of(context).privacy / "certificates"
    before = set(certificates.glob("*"))

    rewrite = erasure.clean_raw

    def fail(*args: Any, **kwargs: Any) -> object:
        if "searcher" in kwargs:  # the search that comes after would take them out
            return rewrite(*args, **kwargs)
        raise OSError(errno.ENOSPC, "no room for a delivery")

    with monkeypatch.context() as patch:
        patch.setattr(erasure, "clean_raw", fail)
        with pytest.raises(OSError, match="no room"):
            _erase(context, customer)
    assert set(certificates.glob("*")) == before
    (certificate,) = resume_erasures(context)
    assert certificate.facts["raw_files_rewritten"]
    needle = contact["email"].encode()
    assert not any(needle in path.read_bytes() for path in _files(context.data_dir))
