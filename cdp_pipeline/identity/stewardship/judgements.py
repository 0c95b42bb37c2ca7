"""What stewards decided about records: same person, different people, unsure, frozen.

Reading and writing the journal of judgements belongs here, one pydantic model a kind of line. What
judgements imply together is worked out in ``constraints``, what they do to a night in
``applied``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.storage.journal import Journal, append_lines, read_journal

FILE_NAME = "judgements.jsonl"

RecordName: TypeAlias = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9_]*:[^\x00-\x1f\x7f]+$", max_length=400)
]
"""``source:record_key``."""

Verdict: TypeAlias = Literal["same", "different", "unsure"]
Draft: TypeAlias = Mapping[str, Any]
"""A judgement before it has a number, a time and an author."""


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: str = Field(pattern=r"^J[1-9][0-9]{0,8}$", description="Number within the journal.")
    at: Annotated[AwareDatetime, Field(strict=False)] = Field(description="Moment, with zone.")
    who: str = Field(min_length=1, max_length=120, description="Operating system's user.")
    reason: str = Field(default="", max_length=1000, description="In words.")


class PairJudgement(_Line):
    """Two records are, or are not, one person.

    ``b`` may be a list: the verdict holds for ``a`` with each of them.
    """

    verdict: Verdict
    a: RecordName
    b: RecordName | Annotated[list[RecordName], Field(min_length=1)]
    match_prob: float | None = Field(
        default=None, ge=0, le=1, description="What the model said when the steward looked."
    )

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Return the pairs that are judged, each and all in order."""
        others = [self.b] if isinstance(self.b, str) else self.b
        return tuple(sorted({ordered_pair(self.a, other) for other in others}))


class Freeze(_Line):
    """A customer keeps exactly these records."""

    verdict: Literal["freeze"]
    customer: str = Field(pattern=r"^C[0-9A-F]{16}$")
    records: Annotated[list[RecordName], Field(min_length=1)]


class Withdrawal(_Line):
    """An earlier line no longer counts."""

    verdict: Literal["withdraw"]
    withdraws: str = Field(pattern=r"^J[1-9][0-9]{0,8}$")


class Erased(_Line):
    """What was here was about a person who has been erased; the number stays taken."""

    verdict: Literal["erased"]


Line: TypeAlias = PairJudgement | Freeze | Withdrawal | Erased
_LINES: TypeAdapter[Line] = TypeAdapter(Annotated[Line, Field(discriminator="verdict")])


@dataclass(frozen=True)
class Judgements:
    """Everything in the journal.

    Attributes:
        lines: In the order of the file.
        torn: Bytes of an unfinished last line, which does not count.
    """

    lines: tuple[Line, ...] = ()
    torn: int = 0

    @property
    def withdrawn(self) -> dict[str, Withdrawal]:
        """Return withdrawals by the number they withdraw."""
        return {line.withdraws: line for line in self.lines if isinstance(line, Withdrawal)}

    @property
    def standing(self) -> tuple[PairJudgement | Freeze, ...]:
        """Return what has not been withdrawn."""
        withdrawn = self.withdrawn
        return tuple(
            line
            for line in self.lines
            if isinstance(line, PairJudgement | Freeze) and line.id not in withdrawn
        )


def ordered_pair(left: str, right: str) -> tuple[str, str]:
    """Return both names, the smaller one first."""
    return (left, right) if left < right else (right, left)


def read_judgements(folder: Path) -> Judgements:
    """Read the journal of judgements in a folder.

    Raises:
        ConfigError: A line is no judgement, a number occurs twice or a withdrawal withdraws
            nothing; names file and line.
    """
    return _parse(read_journal(folder / FILE_NAME))


def record_judgements(
    folder: Path, drafts: Iterable[Draft], *, who: str, now: datetime
) -> tuple[Line, ...]:
    """Append judgements; they are on disk when this returns.

    Those that are the journal's last lines already are not written twice: whoever asked before died
    without being told.

    Args:
        folder: Folder of the journal.
        drafts: Verdict and records of each, as in the models above; later ones count as newer.
        who: Author.
        now: Moment. If the clock went back, the moment after the newest judgement is taken.

    Returns:
        The judgements with their numbers.

    Raises:
        ConfigError: A draft is no judgement, or the journal cannot be read.
        LockedError: Somebody else is writing and does not end.
    """
    made: list[Line] = []
    asked = list(drafts)

    def compose(journal: Journal) -> list[dict[str, Any]]:
        held = _parse(journal).lines
        number = max((int(line.id[1:]) for line in held), default=0)
        after = max((line.at for line in held), default=datetime.min.replace(tzinfo=UTC))
        moment = max(now, after + timedelta(microseconds=1)) if held else now
        said = _said_last(held, asked, who)
        made.extend(held[len(held) - said :])
        documents = []
        for place, draft in enumerate(asked[said:]):
            at = moment.astimezone(UTC) + timedelta(microseconds=place)
            document = {"id": f"J{number + 1 + place}", "at": at.isoformat(), "who": who, **draft}
            made.append(_line(document, where=f"judgement {said + place + 1}"))
            documents.append(document)
        _parse_withdrawals((*held, *made[said:]), {}, folder / FILE_NAME)
        return documents

    append_lines(folder / FILE_NAME, compose)
    return tuple(made)


def _said_last(held: Sequence[Line], drafts: Sequence[Draft], who: str) -> int:
    """Return how many of some judgements, from the first on, the journal ends with."""
    last = [line.model_dump(exclude={"id", "at"}) for line in held[-len(drafts) :]]
    blank = {"reason": "", "match_prob": None, "who": who}
    wanted = [blank | dict(draft) for draft in drafts]
    matching = (
        said
        for said in range(len(last), 0, -1)
        if [blank | line for line in last[-said:]] == wanted[:said]
    )
    return next(matching, 0)


def _parse(journal: Journal) -> Judgements:
    lines: list[Line] = []
    places: dict[str, str] = {}
    for number, document in journal.lines:
        line = _line(document, where=journal.place(number))
        if line.id in places:
            raise ConfigError(
                f"judgement {line.id} occurs twice",
                where=journal.place(number),
                hint=f"The other one is at {places[line.id]}; give one of them a free number.",
            )
        places[line.id] = journal.place(number)
        lines.append(line)
    _parse_withdrawals(lines, places, journal.path)
    return Judgements(tuple(lines), journal.torn)


def _parse_withdrawals(lines: Iterable[Line], places: Mapping[str, str], path: Path) -> None:
    lines = tuple(lines)
    known = {line.id for line in lines if not isinstance(line, Withdrawal)}
    for line in lines:
        if isinstance(line, Withdrawal) and line.withdraws not in known:
            raise ConfigError(
                f"there is no judgement {line.withdraws} to withdraw",
                where=places.get(line.id, str(path)),
                hint="`cdp judgements` lists them with their numbers.",
            )


def _line(document: Mapping[str, Any], *, where: str) -> Line:
    try:
        line = _LINES.validate_python(dict(document))
    except ValidationError as error:
        first = error.errors()[0]
        names = ".".join(str(part) for part in first["loc"][1:])
        raise ConfigError(
            f"no judgement: {names + ': ' if names else ''}{first['msg']}",
            where=where,
            hint="A line holds id, at, who, reason, verdict (same, different, unsure, freeze, "
            "withdraw) and the records as source:record_key.",
        ) from error
    if isinstance(line, PairJudgement) and any(left == right for left, right in line.pairs):
        raise ConfigError(
            "a record cannot be judged against itself", where=where, hint="Name two records."
        )
    return line
