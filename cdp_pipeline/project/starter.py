"""Make a new project from the starter that ships with the package.

The starter is the repository's own ``dags``, ``sql``, ``expectations`` and ``reports``; a project
owns its copy. The contracts of the generated store become examples beside ``expectations``, since
a new project has other sources.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from pydantic.fields import FieldInfo

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.core.settings import PROJECT_FILE, Settings
from cdp_pipeline.project.loader import starter_folder

_SETTINGS = """\
# A project of cdp_pipeline. Business settings stand here; secrets and deployment come from the
# environment: CDP_DATA_DIR, CDP_LANDING_DIR, CDP_MAIL__HOST, CDP_MAIL__PASSWORD ...
[tool.cdp]
store_name = "My Store"
time_zone = "UTC"          # IANA zone of the business day, e.g. "Europe/London"
currency = "GBP"           # ISO 4217
locale = "en_GB"           # numbers and dates in reports
"""

_IGNORED = (b"data/", b".venv/", b"__pycache__/", b".airflow/")

_PLACES = ("dags", "sql", "reports", "expectations", PROJECT_FILE)
"""What a project is made of, in the order in which it appears."""


def create_project(folder: Path) -> list[Path]:
    """Write a new project and return its files; one that died half-way is finished.

    All is written beside its place first and then renamed, the settings last: a folder is a project
    once nothing of it is missing.

    Args:
        folder: Made if missing; must not hold a project or declarations yet.

    Raises:
        ConfigError: The folder already holds something that would be overwritten.
    """
    whole = folder / ".cdp-init.new"
    for name in _PLACES:
        if (folder / name).exists() and ((whole / name).exists() or not whole.is_dir()):
            raise ConfigError(
                f"{name} already exists",
                where=str(folder),
                hint="Name an empty folder: `cdp init mystore`.",
            )
    folder.mkdir(parents=True, exist_ok=True)
    if not whole.is_dir():
        half = folder / ".cdp-init.part"
        shutil.rmtree(half, ignore_errors=True)
        _write_starter(half)
        half.rename(whole)
    (folder / "data" / "landing").mkdir(parents=True, exist_ok=True)
    _ignore(folder / ".gitignore")
    for name in _PLACES:
        if (whole / name).exists():  # or an earlier try has put it there
            (whole / name).rename(folder / name)
    whole.rmdir()
    made = [folder / ".gitignore"]
    for name in _PLACES:
        made += [path for path in (folder / name, *(folder / name).rglob("*")) if path.is_file()]
    return sorted(made)


def _write_starter(folder: Path) -> None:
    """Write what a project is made of into a folder that is not there yet."""
    folder.mkdir()
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc", "*.png")
    for name in ("dags", "sql", "reports"):
        shutil.copytree(starter_folder(name), folder / name, ignore=ignore)
    expectations = folder / "expectations"
    shutil.copytree(starter_folder("expectations"), expectations / "examples", ignore=ignore)
    readme = expectations / "examples" / "README.md"
    if readme.is_file():
        readme.replace(expectations / "README.md")
    settings = _SETTINGS + _commented_defaults()
    (folder / PROJECT_FILE).write_text(settings, encoding="utf-8")


def _ignore(path: Path) -> None:
    """Keep data out of version control; what the file says already stays."""
    said = path.read_bytes() if path.is_file() else b""
    missing = [line for line in _IGNORED if line not in said.splitlines()]
    if missing:
        begun = said if said.endswith(b"\n") or not said else said + b"\n"
        draft = path.with_name(f"{path.name}.part")
        draft.write_bytes(begun + b"".join(line + b"\n" for line in missing))
        draft.replace(path)


def _commented_defaults() -> str:
    """Return every other setting as a comment with its default and meaning."""
    shown = {"store_name", "time_zone", "currency", "locale"}
    lines = [""]
    groups: list[tuple[str, type]] = []
    for name, field in Settings.model_fields.items():
        if name in shown:
            continue
        if name == "keys":
            continue  # secrets: the environment's
        if isinstance(field.annotation, type) and hasattr(field.annotation, "model_fields"):
            groups.append((name, field.annotation))
        elif _is_written(field):
            lines.append(f"# {name} = {_toml(field.default)}  # {field.description}")
    for group, model in groups:
        if group in {"mail", "engine"}:
            continue  # deployment: the environment's
        lines += ["", f"# [tool.cdp.{group}]"]
        lines += [
            f"# {name} = {_toml(field.default)}  # {field.description}"
            for name, field in model.model_fields.items()  # type: ignore[attr-defined]
            if _is_written(field)
        ]
    return "\n".join(lines) + "\n"


def _is_written(field: FieldInfo) -> bool:
    """Return whether a project file may hold a setting, and its default can stand there."""
    return isinstance(field.default, bool | int | float | str | Path | tuple)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(part) for part in value)}]"
    return f'"{value}"' if isinstance(value, str | Path) else str(value)
