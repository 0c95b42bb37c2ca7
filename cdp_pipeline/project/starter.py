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

_IGNORE = "data/\n.venv/\n__pycache__/\n.airflow/\n"


def create_project(folder: Path) -> list[Path]:
    """Write a new project and return its files.

    Args:
        folder: Made if missing; must not hold a project or declarations yet.

    Raises:
        ConfigError: The folder already holds something that would be overwritten.
    """
    for name in (PROJECT_FILE, "expectations", "sql", "reports", "dags"):
        if (folder / name).exists():
            raise ConfigError(
                f"{name} already exists",
                where=str(folder),
                hint="Name an empty folder: `cdp init mystore`.",
            )
    folder.mkdir(parents=True, exist_ok=True)
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc", "*.png")
    for name in ("dags", "sql", "reports"):
        shutil.copytree(starter_folder(name), folder / name, ignore=ignore)
    shutil.copytree(
        starter_folder("expectations"), folder / "expectations" / "examples", ignore=ignore
    )
    readme = folder / "expectations" / "examples" / "README.md"
    if readme.is_file():
        readme.replace(folder / "expectations" / "README.md")
    settings = _SETTINGS + _commented_defaults()
    (folder / PROJECT_FILE).write_text(settings, encoding="utf-8")
    (folder / ".gitignore").write_text(_IGNORE, encoding="utf-8")
    (folder / "data" / "landing").mkdir(parents=True, exist_ok=True)
    return sorted(path for path in folder.rglob("*") if path.is_file())


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
