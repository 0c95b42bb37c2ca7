"""The command tree, global options, and the one place where errors become exit codes."""

from __future__ import annotations

import re
import sys
import traceback
from dataclasses import dataclass
from datetime import date, timedelta
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from cdp_pipeline.cli import output
from cdp_pipeline.core.context import Clock, RunContext, keep_private
from cdp_pipeline.core.errors import CdpError, ConfigError
from cdp_pipeline.core.settings import (
    Settings,
    find_project_root,
    load_settings,
    project_from_environment,
)
from cdp_pipeline.core.unseen import find_unseen

app = typer.Typer(
    name="cdp",
    help="A nightly customer data platform for a department store.",
    epilog="Begin with `cdp demo`, or with `cdp init` in an empty folder.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@dataclass
class Globals:
    """Options that stand before the command."""

    project: Path | None = None
    data_dir: Path | None = None
    debug: bool = False

    @property
    def root(self) -> Path:
        """Return the project's folder.

        Raises:
            ConfigError: There is none here.
        """
        root = self.project or project_from_environment() or find_project_root(Path.cwd())
        if root is None or not root.is_dir():
            raise ConfigError(
                "no project here: no pyproject.toml with [tool.cdp] in this folder or above",
                where=str(root or Path.cwd()),
                hint="Run `cdp init` in an empty folder, or name one with --project.",
            )
        return root.absolute()

    @property
    def settings(self) -> Settings:
        """Return the project's settings."""
        return load_settings(self.root, data_dir=self.data_dir)

    def context(self, day: str | None) -> RunContext:
        """Return the context of a night; without a day, of yesterday in the store's zone."""
        settings = self.settings
        business_date = (
            parse_date(day) if day else Clock().today(settings.time_zone) - timedelta(days=1)
        )
        return RunContext(business_date, f"night-{business_date}", self.root, settings)


_MARKED = re.compile("[\ud800-\udfff]")
MOST = 1_000_000_000
"""What may be asked for at most; libraries take no number of any size."""

_INTERRUPTED = "Query interrupted"
"""What DuckDB makes of a KeyboardInterrupt that comes while it works, a plain RuntimeError."""

OPTIONS = Globals()
"""The running command's global options."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def vet_reason(text: str) -> str:
    """Return a reason that is kept and shown to others.

    Raises:
        ConfigError: It holds characters that are not shown, or bytes that are no UTF-8.
    """
    found = find_unseen(text)
    if found:
        raise ConfigError(
            f"the reason holds a character that is not shown: {found}",
            where="--reason",
            hint="Write it without, in UTF-8.",
        )
    return text


ReasonOption = Annotated[
    str,
    typer.Option("--reason", callback=vet_reason, help="Why you look; kept in the audit log."),
]
PERSON = "Customer id, source:record_key, e-mail, phone, card or account."
"""How a person can be named."""


def parse_date(text: str, *, option: str = "--date") -> date:
    """Return a date written as YYYY-MM-DD.

    Raises:
        ConfigError: It is written otherwise.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f"{text!r} is not a date", where=option, hint="Write it as 2026-11-20."
        ) from error


@app.callback()
def set_globals(
    project: Annotated[
        Path | None, typer.Option("--project", help="Project folder; default: here or above.")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="Data folder; default: from settings.")
    ] = None,
    *,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Take the options that stand before the command."""
    OPTIONS.project = project.absolute() if project else None
    OPTIONS.data_dir = data_dir.absolute() if data_dir else None
    OPTIONS.debug = debug


def run_app(arguments: list[str]) -> int:
    """Run one command line and return its exit code.

    0 done, 2 usage or configuration, 3 data, 4 identity, 5 privacy, 6 SQL model, 75 try again.
    """
    keep_private()
    # In the order in which --help lists their commands.
    for module in (
        "start",
        "new",
        "night",
        "look",
        "versions",
        "steward",
        "identity",
        "audit",
        "quarantine",
        "link",
        "value",
        "recommend",
        "privacy",
        "consent",
    ):
        import_module(f"cdp_pipeline.cli.{module}")

    try:
        code = app(args=arguments, standalone_mode=False)
    except CdpError as error:
        output.show_error(error, as_json="--json" in arguments)
        _trace()
        return error.exit_code
    except typer.Exit as error:
        return error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return _stopped(arguments)
    except BrokenPipeError:
        return 0  # the reader of a pipe, such as `head`, has seen enough
    except Exception as error:  # noqa: BLE001 - the top of the command line, one of two places
        return _unexpected(error, arguments)
    return code if isinstance(code, int) else 0


def _stopped(arguments: list[str]) -> int:
    goes_on = "; `cdp run --resume` goes on where it ended" if "run" in arguments else ""
    output.say(f"stopped{goes_on}")
    return 130


def _unexpected(error: Exception, arguments: list[str]) -> int:
    from cdp_pipeline.orchestration.failures import explain_machine, explain_place

    if str(error) == _INTERRUPTED:
        return _stopped(arguments)
    show = getattr(error, "show", None)
    if show is not None:  # a usage error of typer: unknown option, missing argument
        show()
        return 2
    explained = explain_machine(error) or explain_place(error) or _find_no_text(arguments)
    if explained is not None:
        output.show_error(explained, as_json="--json" in arguments)
        _trace()
        return explained.exit_code
    output.say(f"error: unexpected {type(error).__name__}: {error}")
    output.say("  help:  run it again with `cdp --debug …` and report what it prints")
    _trace()
    return 1


def _find_no_text(arguments: list[str]) -> CdpError | None:
    """Return the error if what was typed holds bytes that are no text; Python marks them."""
    typed = next((one for one in arguments if not one.isascii() and _MARKED.search(one)), None)
    if typed is None:
        return None
    return ConfigError("not UTF-8", where=ascii(typed), hint="Write it in UTF-8.")


def _trace() -> None:
    if OPTIONS.debug:
        traceback.print_exc(file=sys.stderr)
