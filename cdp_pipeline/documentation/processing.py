"""Records of processing activities (GDPR, article 30), drawn up from the declarations.

What a project declares about personal data stands in its contracts, table headers and destinations;
here it is put together as one page for the privacy officer. Who is responsible, and which transfers
there are to other countries, no declaration knows: those lines are left to people.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cdp_pipeline.core.settings import Settings
from cdp_pipeline.project.loader import Project
from cdp_pipeline.project.special_categories import declared_categories
from cdp_pipeline.storage.encryption import ALWAYS_CLEAR

_OPEN = "to be filled in by the controller"


def write_record(project: Project, settings: Settings) -> str:
    """Return the record as Markdown; the same declarations give the same text."""
    parts = (
        _head(settings),
        _sources(project),
        _special(project),
        _tables(project),
        _recipients(project),
        _measures(),
    )
    return "\n".join(line for part in parts for line in part) + "\n"


def _head(settings: Settings) -> Iterator[str]:
    yield f"# Records of processing: {settings.store_name}"
    yield ""
    yield "Drawn up from the project's declarations by `cdp docs --processing`."
    yield ""
    yield f"- Controller, representative, data protection officer: {_OPEN}"
    yield f"- Transfers to third countries and their safeguards: {_OPEN}"
    yield "- Data subjects: customers, members, visitors of the shop and the site"
    yield ""


def _sources(project: Project) -> Iterator[str]:
    yield "## Where personal data comes from"
    yield ""
    rows = []
    for name, contract in project.sources.items():
        kinds = {column.pii for column in contract.columns.values() if column.pii}
        if kinds:
            kept = contract.retention.words if contract.retention else "no period is declared"
            shown = ", ".join(sorted(kinds))
            rows.append((name, contract.title, contract.owner, shown, kept))
    yield from _table(("source", "what", "owner", "categories of personal data", "kept"), rows)


def _special(project: Project) -> Iterator[str]:
    yield "## Special categories, and what allows their use"
    yield ""
    rows = list(declared_categories(project.sources))
    if rows:
        yield from _table(("source", "column", "category", "legal basis"), rows)
    else:
        yield "No contract declares any. Without a basis none may be used: `cdp check` refuses it."
        yield ""


def _tables(project: Project) -> Iterator[str]:
    yield "## Where it is kept, and how long"
    yield ""
    rows = []
    for name, spec in sorted(project.tables.items()):
        header = spec.header
        kinds = {column.pii for column in header.columns.values() if column.pii}
        if header.subject_key:
            kept = header.retention.words if header.retention else "no period is declared"
            shown = ", ".join(sorted(kinds)) or "behaviour"
            rows.append((name, shown, header.subject_key, kept, header.owner))
    columns = ("table", "categories of personal data", "person", "kept", "owner")
    yield from _table(columns, rows)


def _recipients(project: Project) -> Iterator[str]:
    yield "## Who receives it, and for what"
    yield ""
    rows = []
    for name, spec in project.destinations.items():
        purpose = ", ".join((spec.purpose, *spec.also_needs)) if spec.purpose else "analysis"
        sent = ", ".join(field.column for field in spec.fields)
        rows.append((name, spec.title, purpose, spec.channel or "none", sent))
    yield from _table(("recipient", "what", "purpose", "channel", "columns"), rows)
    yield "A recipient with a channel gets only people whose consent to it is on record."
    yield ""


def _measures() -> Iterator[str]:
    yield "## Technical and organisational measures"
    yield ""
    yield "- files 0640 and folders 0750 at most, whatever the umask"
    yield "- every look at a person is written into a signed log: `cdp audit verify`"
    yield "- hashes and seals of everything published: `cdp verify --all`"
    yield "- consent is decided in one place, before every export"
    yield (
        "- small counts of people, and what gives them back within one night, are hidden in "
        "reports; whoever keeps reports of several nights may tell more from their differences"
    )
    yield "- encrypted with a key: personal tables, exports, deliveries once their night is over"
    yield "- encrypted by the disk only, so put it on LUKS or fscrypt:"
    for folder, held in ALWAYS_CLEAR.items():
        yield f"  - {folder}: {held}"
    yield "  - without a key: everything"


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(columns) + " |"
    yield "|" + "---|" * len(columns)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"
    yield ""
