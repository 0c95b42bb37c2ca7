"""How ``cdp review`` shows a pair and asks about it; personal data goes to the terminal only."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from cdp_pipeline.cli import output
from cdp_pipeline.identity.stewardship.pair_views import PairView

VERDICTS = {"s": "same", "d": "different", "u": "unsure"}
PROMPT = "[s]ame  [d]ifferent  [u]nsure  Enter skips  [q]uit  [?] help > "
HELP = """\
  s  the records are one person          d  they are two people
  u  you cannot tell; not asked again    Enter  not now; asked again next time
  q  stop; what you have answered is kept
  A reason may follow the letter: d twins, same birth date
  ++ and + speak for one person, - and -- against; nothing says little either way."""

_LABEL, _LEVEL, _NARROWEST = 16, 32, 14


@dataclass(frozen=True)
class Answer:
    """What a steward typed: a verdict with a reason, ``skip`` or ``quit``."""

    verdict: str
    reason: str = ""


def show_pair(view: PairView, *, number: int, total: int) -> None:
    """Print both records side by side with the evidence."""
    pair = view.pair
    output.write()
    output.write(f"pair {number} of {total}: {pair.question}")
    if not pair.is_sample:
        output.write(
            f"the model: one person {pair.match_prob:.2f}, one household {pair.household_prob:.2f}"
        )
    output.write()
    width = _column_width(view)
    captions = zip(
        ("record", "name", "kind", "customer", "who is"), view.left, view.right, strict=True
    )
    for label, left, right in captions:
        output.write(_line(label, left, right, "", "", width))
    output.write()
    for field in view.fields:
        values = field.left or "-", field.right or "-"
        output.write(_line(field.field, *values, field.mark, field.level, width))
    output.write()


def ask() -> Answer:
    """Ask until the answer is one; the end of input quits."""
    while True:
        try:
            typed = input(PROMPT).strip()
        except EOFError:
            output.write()
            return Answer("quit")
        letter, _, reason = typed.partition(" ")
        word = letter.lower()
        if not word:
            return Answer("skip")
        if word in {"q", "quit"}:
            return Answer("quit")
        if word == "?":
            output.write(HELP)
            continue
        for key, verdict in VERDICTS.items():
            if word in {key, verdict}:
                return Answer(verdict, reason.strip()[:1000])
        output.write(f"{letter!r} is no answer; ? explains them.")


def _column_width(view: PairView) -> int:
    values = [*view.left, *view.right, *(v for f in view.fields for v in (f.left, f.right))]
    room = (shutil.get_terminal_size().columns - _LABEL - _LEVEL - 8) // 2
    return max(_NARROWEST, min(room, max(len(value) for value in values)))


def _line(label: str, left: str, right: str, mark: str, level: str, width: int) -> str:
    cells = f"{label:<{_LABEL}} {_cut(left, width):<{width}}  {_cut(right, width):<{width}}"
    return f"{cells}  {mark:<2} {level}".rstrip()


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
