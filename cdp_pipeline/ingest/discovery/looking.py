"""From files to drafts: `cdp new source`.

Files of a folder are grouped by how they look: the same columns written the same way are one
source. A group's newest files are looked at; columns that some of them lack are optional.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import zip_longest
from pathlib import Path

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.ingest.discovery.asking import Ask
from cdp_pipeline.ingest.discovery.charset import Charset, decode, find_charset
from cdp_pipeline.ingest.discovery.content import Content, is_beside_the_data, open_contents
from cdp_pipeline.ingest.discovery.draft import Draft, draft_contract
from cdp_pipeline.ingest.discovery.naming import bare_stem, few_of_each, file_pattern, source_name
from cdp_pipeline.ingest.discovery.nested import look_at_records
from cdp_pipeline.ingest.discovery.records import read_json, read_parquet, read_xml
from cdp_pipeline.ingest.discovery.references import ask_joins
from cdp_pipeline.ingest.discovery.sample import Field, Sample
from cdp_pipeline.ingest.discovery.tables import look_at_text, look_at_workbook
from cdp_pipeline.ingest.headers import plain_name
from cdp_pipeline.ingest.readers import ZIP_SUFFIX
from cdp_pipeline.ingest.refusal import RefusedError

_ALIKE = 0.5


@dataclass(frozen=True)
class Look:
    """One file that was looked at.

    Attributes:
        path: The file.
        member: Name within a .zip; empty otherwise.
        sample: What was seen.
    """

    path: Path
    member: str
    sample: Sample

    @property
    def name(self) -> str:
        """Name by which files are grouped."""
        return Path(self.member).name if self.member else self.path.name


def draft_sources(place: Path, *, name: str | None, landing: Path) -> list[Draft]:
    """Return a draft for each kind of file at a place.

    Args:
        place: A delivery, or a folder of deliveries.
        name: Name of the source; None to take it from the files.
        landing: The landing folder, in which globs begin.

    Raises:
        ConfigError: There is nothing to look at, or it cannot be read.
    """
    files = _files(place)
    with tempfile.TemporaryDirectory(prefix="cdp-new-") as folder:
        looks = [
            look
            for number, path in enumerate(files)
            for look in look_at(path, Path(folder) / f"file-{number}")
        ]
    groups = _apart(_groups(looks))
    if name and len(groups) > 1:
        raise ConfigError(
            f"the files are of {len(groups)} kinds, but one name was given",
            where=str(place),
            hint="Leave --name out, or name one file: "
            + ", ".join(group[-1].name for group in groups[:5]),
        )
    taken: set[str] = set()
    drafts = []
    for group in groups:
        folders = [part for part in group[0].path.parent.parts if part not in landing.parts]
        found = name or source_name([look.name for look in group], folders=folders)
        while found in taken:
            found += "_2"
        taken.add(found)
        drafts.append(_draft(group, found, landing))
    ask_joins(drafts)
    return drafts


def look_at(path: Path, scratch: Path) -> list[Look]:
    """Return what is seen in a file: one look, or one for each kind of member of a .zip.

    Args:
        path: A delivery.
        scratch: Private folder that is not there yet; the caller removes it.

    Raises:
        ConfigError: It is nothing that a contract can read.
    """
    scratch.mkdir()
    try:
        contents = open_contents(path, scratch)
        return [Look(path, content.member, _sample(content, scratch)) for content in contents]
    except RefusedError as error:
        raise ConfigError(
            error.reason, where=str(path), hint=error.hint or "Have it sent again."
        ) from error


def _sample(content: Content, scratch: Path) -> Sample:
    if content.kind == "parquet":
        return look_at_records(read_parquet(content), content)
    if content.kind == "excel":
        return look_at_workbook(content, scratch)
    charset = find_charset(content.head)
    start = decode(content.head[:2000], charset).lstrip("\ufeff\x1e \t\r\n")
    if start.startswith("<"):
        return look_at_records(read_xml(content, scratch), content)
    if start.startswith(("{", "[")):
        records = read_json(decode(content.head, charset), content)
        if records is not None:
            found = look_at_records(records, content)
            return replace(found, delivery={**found.delivery, **_encoding(charset, found)})
    return look_at_text(content)


def _encoding(charset: Charset, found: Sample) -> dict[str, object]:
    if charset.fallback and found.delivery.get("format") == "jsonl":
        return {"fallback_encoding": charset.fallback}
    return {} if charset.name == "utf-8" else {"encoding": charset.name}


def _files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise ConfigError(
            "there is no such file or folder", where=str(place), hint="Name a delivery."
        )
    found = [
        path
        for path in sorted(place.rglob("*"))
        if path.is_file()
        and not is_beside_the_data(path.name)
        and path.stat().st_size
        and not any(part.startswith(".") for part in path.relative_to(place).parts)
    ]
    if not found:
        raise ConfigError(
            "the folder holds no deliveries", where=str(place), hint="Put one there, or name one."
        )
    return few_of_each(found, lambda path: path.name)


def _groups(looks: Iterable[Look]) -> list[list[Look]]:
    """Put files together that are named alike, or that have the same columns and begin alike."""
    groups: list[list[Look]] = []
    for look in looks:
        for group in groups:
            if _belongs(look, group[-1]):
                group.append(look)
                break
        else:
            groups.append([look])
    return groups


def _apart(groups: Sequence[list[Look]]) -> list[list[Look]]:
    """Divide groups of several kinds of names whose common glob takes in files of others."""
    found = []
    for group in groups:
        pattern = file_pattern(sorted({look.name for look in group}))
        others = [look.name for other in groups if other is not group for look in other]
        kinds: dict[str, list[Look]] = {}
        for look in group:
            kinds.setdefault(file_pattern([look.name]), []).append(look)
        is_wide = any(fnmatchcase(name, pattern) for name in others)
        found += list(kinds.values()) if is_wide else [group]
    return found


def _belongs(one: Look, other: Look) -> bool:
    if one.sample.delivery.get("format") != other.sample.delivery.get("format"):
        return False
    if one.sample.has_header != other.sample.has_header:
        return False
    ours, theirs = _header(one.sample), _header(other.sample)
    if file_pattern([one.name]) == file_pattern([other.name]):
        shared = len(ours & theirs) / max(1, min(len(ours), len(theirs)))
        return shared >= _ALIKE or not one.sample.has_header
    words = [bare_stem(look.name).split("_")[0] for look in (one, other)]
    return ours == theirs and bool(ours) and words[0] == words[1] and len(words[0]) > 2  # noqa: PLR2004 - a word


def _header(sample: Sample) -> frozenset[str]:
    return frozenset(plain_name(field.name) for field in sample.fields if field.name)


def _draft(group: Sequence[Look], name: str, landing: Path) -> Draft:
    last = group[-1]
    sample = _merged([look.sample for look in group])
    delivery = dict(sample.delivery)
    if last.member:
        delivery["member"] = file_pattern(sorted({look.name for look in group}))
    sample = replace(sample, delivery=delivery)
    paths = [look.path for look in group]
    draft = draft_contract(
        sample,
        name=name,
        files=list(dict.fromkeys(look.name for look in group)),
        tried=paths[-1],
        path=_glob(paths, name, landing),
    )
    _expect_again(draft, group)
    return draft


def _expect_again(draft: Draft, group: Sequence[Look]) -> None:
    """Have files that come again under their name hold their day anew, or ask whether they do."""
    counts = Counter(look.name for look in group)
    if draft.load["mode"] != "append":
        return
    is_seen_again = max(counts.values()) > 1 and not draft.key.columns
    if not is_seen_again and draft.feeds[0].entity != "web_events":
        return
    days = [
        column.name
        for column in draft.columns
        if column.kind.type == "date" and column.kind.field.share == 1
        and all(_has_one_value(look.sample, column.kind.field.name) for look in group)
    ]  # fmt: skip
    if not is_seen_again:
        if days:
            draft.load["mode"] = Ask(
                f"append; or rewrite, with a line `day: {days[0]}`, if the file of a day comes "
                "again for some days, as those of GA4 do",
                "append",
            )
        return
    if days:
        draft.load |= {"mode": "rewrite", "day": days[0]}
        draft.key_asked = None
        return
    again = counts.most_common(1)[0][0]
    draft.load["mode"] = Ask(
        f"{again} came again: write append if both hold rows of their own, or rewrite, with a line "
        "`day:` and the date by which a file holds whole days",
        "append",
    )


def _has_one_value(sample: Sample, name: str) -> bool:
    return any(field.name == name and len(field.counts) == 1 for field in sample.fields)


def _glob(paths: Sequence[Path], name: str, landing: Path) -> str:
    """Return the glob of the files: as they lie in the landing folder, or as they should."""
    pattern = file_pattern(sorted({path.name for path in paths}))
    if pattern.endswith((".gz", ".zst")) or not pattern.endswith(ZIP_SUFFIX):
        pattern = pattern.removesuffix(".gz").removesuffix(".zst").rstrip("*") + "*"
    place = paths[-1].absolute().parent
    if place.is_relative_to(landing.absolute()):
        parts = place.relative_to(landing.absolute()).parts
        return "/".join([*("*" if _is_of_a_day(part) else part for part in parts), pattern])
    return f"{name}/*/{pattern}"


def _is_of_a_day(folder: str) -> bool:
    """Return whether a folder is called by a day or a number, rather than by what it holds.

    >>> _is_of_a_day("2026-11-20"), _is_of_a_day("ga4")
    (True, False)
    """
    return sum(map(str.isdigit, folder)) * 2 > len(folder)


def _merged(samples: Sequence[Sample]) -> Sample:
    """Return the samples of several files as one; columns that some lack are optional."""
    last = samples[-1]
    if len(samples) == 1:
        return last
    if not last.has_header:
        columns = zip_longest(*(sample.fields for sample in samples))
        fields = tuple(
            Field(
                next(field.name for field in found if field),
                [v for field in found if field for v in field.values],
            )
            for found in columns
        )
        return replace(last, fields=fields)
    names = {plain_name(f.name): f.name for sample in samples for f in sample.fields}
    fields = tuple(_joined(name, key, samples) for key, name in names.items())
    return replace(
        last,
        fields=fields,
        looked_at=f"{last.looked_at}, and {len(samples) - 1} more",
        is_whole=False,
        margins=(),
        parts=_parts(samples),
    )


def _parts(samples: Sequence[Sample]) -> tuple[int, ...]:
    if not any(sample.parts for sample in samples):
        return ()
    return tuple(n for sample in samples for n in sample.parts or [1] * sample.rows)


def _joined(name: str, key: str, samples: Sequence[Sample]) -> Field:
    values: list[str] = []
    is_partial = False
    question = ""
    for sample in samples:
        found = next((f for f in sample.fields if plain_name(f.name) == key), None)
        values += found.values if found else [""] * sample.rows
        is_partial = is_partial or found is None or found.is_partial
        question = question or (found.question if found else "")
    return Field(name, values, is_partial, question)
