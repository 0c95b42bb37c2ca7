"""Fetching deliveries: only what is complete, as it came, from folders, buckets and servers."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.core.context import Clock, StepResult
from cdp_pipeline.core.errors import ConfigError, OriginError
from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.ingest import collecting, landing, origins
from cdp_pipeline.ingest.deliveries import planned_deliveries
from tests.unit.ingest.conftest import NIGHT, Store
from tests.unit.ingest.origin_servers import (
    PASSWORD,
    USER,
    BucketServer,
    FolderServer,
    Server,
    SftpServer,
    serve_s3,
    serve_sftp,
)

NAME = "goods/2026-11-20/goods.csv"
DATA = b"id\n1\n2\n"


class FakeClock(Clock):
    """Does what a test wants while the pipeline waits."""

    def __init__(self, act: Callable[[], None] = lambda: None) -> None:
        self.act = act
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.act()


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    for package in ("moto", "boto3", "s3fs", "upath"):
        pytest.importorskip(package)
    with serve_s3() as url:
        yield url


@pytest.fixture
def bucket(s3_url: str, tmp_path: Path) -> BucketServer:
    return BucketServer(s3_url, f"b{abs(hash(tmp_path)):x}")


@pytest.fixture
def sftp(tmp_path: Path) -> Iterator[SftpServer]:
    for package in ("asyncssh", "paramiko", "upath"):
        pytest.importorskip(package)
    root = tmp_path / "server" / "outgoing"
    root.mkdir(parents=True)
    with serve_sftp(root.parent) as (port, key):
        known = tmp_path / "known_hosts"
        known.write_text(f"[127.0.0.1]:{port} {key}\n", encoding="utf-8")
        access = {"user": USER, "password": PASSWORD, "known_hosts": str(known)}
        yield SftpServer(root, access, port)


@pytest.fixture(params=["folder", "s3", "sftp"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Server:
    if request.param == "folder":
        (tmp_path / "outgoing").mkdir()
        return FolderServer(tmp_path / "outgoing")
    found: Server = request.getfixturevalue({"s3": "bucket", "sftp": "sftp"}[request.param])
    return found


def declare(store: Store, server: Server | None, place: str = "", **delivery: Any) -> None:
    if server is not None:
        delivery["location"] = place or server.location
        if server.access:
            delivery["access"] = "tests"
    store.declare(
        "goods",
        {
            "title": "Goods",
            "owner": "tests",
            "delivery": {"path": "goods/*/*", "format": "csv", **delivery},
            "load": {"mode": "append", "key": ["id"]},
            "columns": {"id": {}},
            "feeds": [{"entity": "products", "columns": {"sku": "id"}}],
        },
    )


def collect(store: Store, server: Server | None, clock: Clock | None = None) -> StepResult:
    locations = {"tests": server.access} if server and server.access else {}
    context = store.context(locations=locations)
    return collecting.collect(context, clock=clock or FakeClock())


def landed(store: Store) -> dict[str, bytes]:
    folder = store.root / "data" / "landing"
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_a_file_is_fetched_once_and_loaded(store: Store, server: Server) -> None:
    declare(store, server)
    server.put(NAME, DATA)
    before = server.contents()
    assert collect(store, server).rows_out == 1
    assert landed(store) == {NAME: DATA}
    assert collect(store, server).rows_out == 0
    store.night()
    assert store.ledger() == [(NAME, "loaded", 2, 2, 0, 0, 0)]
    assert server.contents() == before


def test_what_is_fetched_is_frozen_under_its_hash(store: Store, server: Server) -> None:
    declare(store, server)
    server.put(NAME, DATA)
    collect(store, server)
    delivery = next(
        landing.find_files(
            store.root / "data" / "landing",
            landing.load_project(store.root).sources["goods"],
            where="here",
        )
    )
    frozen = store.root / "data" / "archive" / "goods" / delivery.file_id / "goods.csv"
    assert frozen.read_bytes() == DATA
    assert stat.S_IMODE(frozen.stat().st_mode) == 0o440


def test_a_file_sent_again_is_fetched_again_and_the_first_stays_in_the_archive(
    store: Store, server: Server
) -> None:
    declare(store, server)
    server.put(NAME, DATA)
    collect(store, server)
    server.put(NAME, DATA + b"3\n")
    assert collect(store, server).rows_out == 1
    assert landed(store) == {NAME: DATA + b"3\n"}
    kept = (store.root / "data" / "archive" / "goods").glob("*/goods.csv")
    assert sorted(path.read_bytes() for path in kept) == [DATA, DATA + b"3\n"]


def test_a_file_that_grows_is_not_taken(store: Store, server: Server) -> None:
    declare(store, server, complete={"by": "stable", "seconds": 5})
    server.put(NAME, DATA[:4])
    clock = FakeClock(lambda: server.put(NAME, DATA))
    result = collect(store, server, clock)
    assert clock.slept == [5]
    assert landed(store) == {}
    assert result.messages == (f"goods: {NAME} is not taken yet: it is still being written",)
    collect(store, server)
    assert landed(store) == {NAME: DATA}


def test_a_file_without_its_marker_is_not_taken(store: Store, server: Server) -> None:
    declare(store, server, complete={"by": "marker"})
    server.put(NAME, DATA)
    result = collect(store, server)
    assert result.messages == (f"goods: {NAME} is not taken yet: goods.csv.done has not arrived",)
    assert landed(store) == {}
    server.put(f"{NAME}.done", b"")
    collect(store, server)
    assert landed(store) == {NAME: DATA}
    store.night()
    assert store.ledger() == [(NAME, "loaded", 2, 2, 0, 0, 0)]


def test_a_marker_whose_file_has_gone_is_nothing_to_wait_for(store: Store, server: Server) -> None:
    declare(store, server, complete={"by": "marker"})
    server.put(f"{NAME}.done", b"")
    result = collect(store, server)
    assert (result.rows_in, result.messages) == (0, ())


def test_a_manifest_comes_with_its_file(store: Store, server: Server) -> None:
    control = {"from": "manifest", "pattern": r"rows=(?P<rows>\d+)"}
    declare(store, server, control=control, complete={"by": "manifest"})
    server.put(NAME, DATA)
    assert collect(store, server).rows_out == 0
    server.put(f"{NAME}.ctl", b"rows=3")
    assert collect(store, server).rows_out == 1
    store.night()
    assert store.ledger()[0][1] == "refused"
    server.put(f"{NAME}.ctl", b"rows=2\n")
    assert collect(store, server).rows_out == 1
    store.night()
    assert store.ledger() == [(NAME, "loaded", 2, 2, 0, 0, 0)]


@pytest.mark.parametrize("size", [DATA + b"3\n", b"id\n7\n8\n"], ids=["longer", "as long"])
def test_a_file_that_changes_while_it_is_read_is_read_again(
    store: Store, server: Server, monkeypatch: pytest.MonkeyPatch, size: bytes
) -> None:
    declare(store, server)
    server.put(NAME, DATA)
    target: Any = origins.Remote if server.access else origins.Folder
    fetch, calls = target.fetch, []

    def change_then(self: Any, name: str, path: Path) -> Any:
        found = fetch(self, name, path)
        calls.append(name)
        if len(calls) == 1:
            server.put(NAME, size)
            if isinstance(server, FolderServer):
                os.utime(server.root / NAME, (1, 1))
        return found

    monkeypatch.setattr(target, "fetch", change_then)
    result = collect(store, server)
    assert len(calls) == 2
    assert landed(store) == {NAME: size}
    assert result.messages == (f"goods: {NAME} changed while it was read; it is read again",)


def test_a_file_that_never_rests_is_left(
    store: Store, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(store, server)
    server.put(NAME, DATA)
    target: Any = origins.Remote if server.access else origins.Folder
    fetch, calls = target.fetch, []

    def change_after(self: Any, name: str, path: Path) -> Any:
        found = fetch(self, name, path)
        calls.append(name)
        server.put(NAME, DATA * (len(calls) + 1))
        return found

    monkeypatch.setattr(target, "fetch", change_after)
    result = collect(store, server)
    assert landed(store) == {}
    assert len(calls) == collecting.TRIES
    assert result.messages[-1] == f"goods: {NAME} is not taken yet: it never came whole"
    assert not list((store.root / "data" / "archive" / "goods").glob(".*"))


def test_a_file_that_is_swapped_for_a_link_is_left(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = FolderServer(tmp_path / "outgoing")
    server.put(NAME, DATA)
    (tmp_path / "secret").write_bytes(DATA)
    declare(store, server)
    fetch = origins.Folder.fetch

    def swap(self: Any, name: str, path: Path) -> Any:
        (server.root / NAME).unlink()
        (server.root / NAME).symlink_to(tmp_path / "secret")
        return fetch(self, name, path)

    monkeypatch.setattr(origins.Folder, "fetch", swap)
    assert collect(store, server).rows_out == 0
    assert landed(store) == {}


@pytest.mark.parametrize("name", ["goods/2026-11-20/a;b.csv", "goods/2026-11-20/$(x).csv"])
def test_odd_names_are_refused(store: Store, server: Server, name: str) -> None:
    declare(store, server)
    server.put(name, DATA)
    result = collect(store, server)
    assert "is refused: its name has characters" in result.messages[0]
    assert landed(store) == {}


def test_links_are_refused(store: Store, tmp_path: Path) -> None:
    origin = FolderServer(tmp_path / "outgoing")
    secret = tmp_path / "secret.csv"
    secret.write_bytes(DATA)
    origin.put("goods/2026-11-20/fine.csv", DATA)
    (origin.root / "goods/2026-11-20/link.csv").symlink_to(secret)
    (origin.root / "goods/2026-11-21").symlink_to(tmp_path)
    os.mkfifo(origin.root / "goods/2026-11-20/pipe.csv")
    declare(store, origin)
    result = collect(store, origin)
    assert sorted(landed(store)) == ["goods/2026-11-20/fine.csv"]
    assert sorted(text.split(" is refused: ")[1] for text in result.messages) == [
        "a folder on its path is a link",
        "it is not a regular file",
        "it is not a regular file",
    ]


def test_links_on_a_server_are_refused(store: Store, sftp: SftpServer) -> None:
    sftp.put("other.csv", DATA)
    (sftp.root / "goods/2026-11-20").mkdir(parents=True)
    (sftp.root / NAME).symlink_to("/outgoing/other.csv")
    declare(store, sftp)
    result = collect(store, sftp)
    assert landed(store) == {}
    assert result.messages == (f"goods: {NAME} is refused: it is not a regular file",)


def test_a_wrong_password_says_so_and_nothing_secret(store: Store, sftp: SftpServer) -> None:
    declare(store, sftp)
    sftp.access["password"] = "wr0ng-password"  # noqa: S105 - of a test
    with pytest.raises(ConfigError) as found:
        collect(store, sftp)
    text = str(found.value)
    assert f"{sftp.location} does not let us in" in text
    assert "CDP_LOCATIONS__TESTS__" in text
    assert "wr0ng" not in text


def test_a_server_with_an_unknown_key_is_refused(
    store: Store, sftp: SftpServer, tmp_path: Path
) -> None:
    declare(store, sftp)
    (tmp_path / "known_hosts").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"shows a key that is not known.*no key"):
        collect(store, sftp)


def test_a_server_whose_key_has_changed_is_refused(
    store: Store, sftp: SftpServer, tmp_path: Path
) -> None:
    import asyncssh

    declare(store, sftp)
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    line = f"[127.0.0.1]:{sftp.port} {other}\n"
    (tmp_path / "known_hosts").write_text(line, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"shows a key that is not known.*another key"):
        collect(store, sftp)


def test_a_missing_place_says_so(store: Store, server: Server) -> None:
    place = "/nowhere"
    if server.location.startswith("s3"):
        place = "s3://no-such-bucket/x"
    elif server.location.startswith("sftp"):
        place = server.location.replace("outgoing", "nowhere")
    declare(store, server, place=place)
    with pytest.raises(ConfigError, match=f"{place} does not exist"):
        collect(store, server)


def test_a_wrong_key_says_so_and_nothing_secret(store: Store, bucket: BucketServer) -> None:
    declare(store, bucket)
    bucket.demand_valid_keys(wanted=True)
    try:
        with pytest.raises(ConfigError) as found:
            collect(store, bucket)
    finally:
        bucket.demand_valid_keys(wanted=False)
    text = str(found.value)
    assert f"{bucket.location} refuses us" in text
    assert "AKIDTESTS" not in text
    assert "s3cr3t" not in text


@pytest.mark.parametrize("kind", ["s3", "sftp"])
def test_a_server_that_is_down_is_tried_again(
    store: Store, request: pytest.FixtureRequest, kind: str
) -> None:
    server: Any = request.getfixturevalue({"s3": "bucket", "sftp": "sftp"}[kind])
    if kind == "s3":
        server.access["endpoint"] = "http://127.0.0.1:9"
    else:
        server.port = 9
    clock = FakeClock()
    declare(store, server, required=True)
    with pytest.raises(OriginError, match="does not answer"):
        collect(store, server, clock)
    assert len(clock.slept) == collecting.TRIES - 1
    declare(store, server, required=False)
    result = collect(store, server)
    assert "its files come with a later night" in result.messages[0]


def test_access_that_nobody_set_is_named(store: Store, tmp_path: Path) -> None:
    declare(store, FolderServer(tmp_path), access="tills")
    with pytest.raises(ConfigError, match="CDP_LOCATIONS__TILLS__"):
        collect(store, None)


def test_in_landing_too_a_growing_file_waits_for_the_next_night(store: Store) -> None:
    declare(store, None, complete={"by": "stable", "seconds": 2})
    path = store.deliver(NAME, DATA[:4])
    collecting.collect(store.context(), clock=FakeClock(lambda: path.write_bytes(DATA) and None))
    landing.run(store.context())
    first = planned_deliveries(store.context())[0]
    assert (first.status, first.reason) == (
        "refused",
        "it was still being written when the night began",
    )
    collecting.collect(store.context(), clock=FakeClock())
    landing.run(store.context())
    assert planned_deliveries(store.context())[0].status == "new"


def test_in_landing_too_a_marker_is_waited_for(store: Store) -> None:
    declare(store, None, complete={"by": "marker", "marker": "{stem}.ok"})
    store.deliver(NAME, DATA)
    landing.run(store.context())
    assert "its marker goods.ok has not arrived" in planned_deliveries(store.context())[0].reason
    store.deliver("goods/2026-11-20/goods.ok", b"")
    landing.run(store.context())
    assert [d.status for d in planned_deliveries(store.context())] == ["new"]


@pytest.mark.parametrize(
    ("delivery", "text"),
    [
        ({"location": "s3://key:secret@bucket/x"}, "no user, password or query"),
        ({"location": "ftp://host/x"}, "give a folder, s3://"),
        ({"location": "outgoing"}, "a folder begins with /"),
        ({"location": "/a/../../etc"}, "leads astray"),
        ({"location": "sftp://host/../x"}, "leads astray"),
        ({"access": "tills"}, "`access:` is for a `location:`"),
        ({"complete": {"by": "manifest"}}, "needs `control:`"),
    ],
)
def test_a_contract_with_a_wrong_place_is_refused(
    store: Store, delivery: dict[str, Any], text: str
) -> None:
    declare(store, None, **delivery)
    with pytest.raises(ConfigError, match=text):
        collect(store, None)


def test_settings_come_from_the_environment(
    project_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDP_LOCATIONS__TILLS__USER", "till")
    monkeypatch.setenv("CDP_LOCATIONS__TILLS__PASSWORD", "hush")
    access = load_settings(project_root).locations["tills"]
    assert access.user == "till"
    assert access.password is not None
    assert access.password.get_secret_value() == "hush"
    assert "hush" not in repr(access)


def test_secrets_do_not_stand_in_files(project_root: Path) -> None:
    project = project_root / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    written = f'{text}\n[tool.cdp.locations.tills]\npassword = "hush"\n'
    project.write_text(written, encoding="utf-8")
    with pytest.raises(ConfigError, match="CDP_LOCATIONS__TILLS__PASSWORD") as found:
        load_settings(project_root)
    assert "hush" not in str(found.value)


def test_an_unknown_setting_of_a_location_is_named(
    project_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDP_LOCATIONS__TILLS__PASWORD", "x")
    with pytest.raises(ConfigError, match="Did you mean 'password'"):
        load_settings(project_root)


assert NIGHT.isoformat() in NAME
