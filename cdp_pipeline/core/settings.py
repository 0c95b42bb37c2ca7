"""Settings: CLI flag over environment ``CDP_*`` over ``[tool.cdp]`` over default.

The only module that reads the environment. Business settings (zone, windows, thresholds) belong in
``[tool.cdp]`` of the project's ``pyproject.toml``; deployment and secrets belong in the
environment, nested fields joined by two underscores (``CDP_MAIL__PASSWORD``).
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from cdp_pipeline.core.access_settings import (
    WRITTEN_NOWHERE,
    KeySettings,
    LocationSettings,
    MailSettings,
)
from cdp_pipeline.core.errors import CombinedConfigError, ConfigError
from cdp_pipeline.core.machine import choose_memory_limit
from cdp_pipeline.core.privacy_settings import PrivacySettings
from cdp_pipeline.core.propensity_settings import PropensitySettings
from cdp_pipeline.core.recommend_settings import RecommendSettings
from cdp_pipeline.core.unseen import OneLine

PROJECT_FILE = "pyproject.toml"
_CLI_ONLY = {"CDP_PROJECT"}
PUBLIC_ID_SECRETS = ("cdp",)
"""Stands in for ``identity.id_secrets`` until a store sets its own; everybody knows it."""


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RfmSettings(_Group):
    """Recency, frequency and monetary value."""

    window_days: int = Field(default=365, ge=30, description="Days of purchases that count.")
    bins: int = Field(default=5, ge=2, le=10, description="Scores per dimension, 1 to bins.")
    freeze: Literal["night", "month", "quarter"] = Field(
        default="night", description="How long thresholds between scores stay as they are."
    )
    parts: tuple[Literal["channel", "department"], ...] = Field(
        default=(), description="What people are also scored within."
    )


class ClvSettings(_Group):
    """Customer lifetime value."""

    model: Literal["mbg/nbd", "bg/nbd", "pareto/nbd", "nbd"] = Field(
        default="mbg/nbd", description="Purchase model that serves unless another wins."
    )
    has_contest: bool = Field(
        default=True, description="Whether the model that did best on past days serves."
    )
    has_season: bool = Field(
        default=True, description="Whether a season of the store may be part of the forecast."
    )
    refit_days: int = Field(
        default=7, ge=0, description="Age from which models are trained again; 0: nightly."
    )
    gate_total_share: float = Field(
        default=0.5, gt=0, description="Change of the total forecast that a new model may bring."
    )
    horizon_days: int = Field(default=365, ge=7, description="Days ahead that CLV covers.")
    monthly_discount_share: float = Field(
        default=0.01, ge=0, lt=1, description="Discount per 30 days, as a share."
    )
    minimum_customers: int = Field(default=500, ge=1, description="Below this no model is fitted.")


class IdentitySettings(_Group):
    """Record linkage."""

    accept_prob: float = Field(default=0.5, gt=0, lt=1, description="Links at or above count.")
    review_prob: float = Field(default=0.2, gt=0, lt=1, description="Links from here are reviewed.")
    block_cap: int = Field(default=60, ge=2, description="Records a blocking key may hold.")
    refit_days: int = Field(
        default=7,
        ge=0,
        description="Age of the linkage model from which all pairs are compared again; 0: nightly.",
    )
    return_days: int = Field(
        default=365,
        ge=0,
        description="Days for which a customer without records keeps its id, should they return.",
    )
    id_secrets: list[SecretStr] = Field(
        default=[SecretStr(secret) for secret in PUBLIC_ID_SECRETS],
        min_length=1,
        description="Secrets that hash ids nobody has; the first is in use, others recognise.",
    )
    gate_minimum_records: int = Field(
        default=20, ge=1, description="Records that must change customer before a night is held."
    )
    gate_moved_share: float = Field(
        default=0.02,
        ge=0,
        le=1,
        description="Known records that may change or lose their customer.",
    )
    gate_merged_share: float = Field(
        default=0.02, ge=0, le=1, description="Known customers that may be merged into others."
    )
    gate_split_share: float = Field(
        default=0.02, ge=0, le=1, description="Known customers that may be split."
    )
    gate_largest_merge: int = Field(
        default=10, ge=2, description="Known customers that may become one."
    )
    gate_mixed_household_share: float = Field(
        default=0.01, ge=0, le=1, description="Customers that may join two households."
    )
    gate_segment_share: float = Field(
        default=0.25, ge=0, le=1, description="Members of any one segment that may be affected."
    )
    gate_clv_share: float = Field(
        default=0.05, ge=0, le=1, description="Share of the CLV total that may be affected."
    )
    gate_consent_share: float = Field(
        default=0.01, ge=0, le=1, description="Customers whose contact permission may change."
    )
    gate_export_share: float = Field(
        default=0.10, ge=0, le=1, description="Exported rows that may be affected."
    )
    maximum_cluster_records: int = Field(
        default=300, ge=10, description="Records in one person before the cluster is cut."
    )


class WebSettings(_Group):
    """From cookies to people: how far each kind of link is believed, and when none is."""

    account_prob: float = Field(default=0.995, gt=0, le=1, description="Made with an account.")
    order_prob: float = Field(default=0.995, gt=0, le=1, description="Placed an order.")
    email_click_prob: float = Field(default=0.99, gt=0, le=1, description="Came from an e-mail.")
    session_prob: float = Field(default=0.995, gt=0, le=1, description="Same session, times those.")
    cookie_prob: float = Field(default=0.98, gt=0, le=1, description="Same cookie, times those.")
    cookie_before_prob: float = Field(
        default=0.98, gt=0, le=1, description="Same cookie, before the first of those."
    )
    maximum_cookie_people: int = Field(
        default=5, ge=1, description="A cookie of more people is public: a kiosk or a bot."
    )
    handover_quiet_days: int = Field(
        default=7,
        ge=1,
        description="Days without the old owner after which a cookie has a new one.",
    )
    family_device_share: float = Field(
        default=0.2, gt=0, le=1, description="Second visits by others that mark shared devices."
    )


class ContactSettings(_Group):
    """Contact policy that every activation passes."""

    cap_count: int = Field(default=2, ge=1, description="Triggers a person may get per cap_days.")
    cap_days: int = Field(default=7, ge=1, description="Length of the cap's window, in days.")
    holdout_salt: str = Field(default="cdp", description="Text mixed into the holdout hash.")
    global_holdout_share: float = Field(
        default=0.02, ge=0, lt=0.5, description="Never contacted, for measuring the CDP itself."
    )


class EngineSettings(_Group):
    """Resources that DuckDB may use."""

    memory_limit: str = Field(
        default_factory=choose_memory_limit,
        description="Memory before spilling to disk; default: half of the machine's, at most 6 GB.",
    )
    threads: int | None = Field(default=None, ge=1, description="Threads; default: all cores.")


class Settings(BaseSettings):
    """All settings, frozen; unknown keys are refused with a suggestion."""

    model_config = SettingsConfigDict(
        env_prefix="CDP_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    store_name: OneLine = Field(default="The Store", description="Name printed on reports.")
    time_zone: str = Field(default="UTC", description="IANA zone of the business day.")
    currency: str = Field(default="GBP", pattern="^[A-Z]{3}$", description="ISO 4217 code.")
    locale: str = Field(
        default="en_GB", description="Style of numbers and order of dates in reports."
    )
    data_dir: Path = Field(default=Path("data"), description="Everything a run writes.")
    landing_dir: Path | None = Field(
        default=None, description="Where deliveries arrive; default: data_dir/landing."
    )
    schedule: str = Field(default="0 4 * * *", description="Cron of the night, in time_zone.")
    keep_versions: int = Field(default=7, ge=2, description="Published versions that are kept.")
    keep_versions_gb: float | None = Field(
        default=None, gt=0, description="GB that they may take; default: any. Two always stay."
    )
    quarantine_stop_share: float = Field(
        default=0.10, gt=0, le=1, description="Share of bad rows that refuses a whole file."
    )
    rfm: RfmSettings = Field(default_factory=RfmSettings)
    clv: ClvSettings = Field(default_factory=ClvSettings)
    recommend: RecommendSettings = Field(default_factory=RecommendSettings)
    propensity: PropensitySettings = Field(default_factory=PropensitySettings)
    identity: IdentitySettings = Field(default_factory=IdentitySettings)
    web: WebSettings = Field(default_factory=WebSettings)
    contact: ContactSettings = Field(default_factory=ContactSettings)
    mail: MailSettings = Field(default_factory=MailSettings)
    engine: EngineSettings = Field(default_factory=EngineSettings)
    privacy: PrivacySettings = Field(default_factory=PrivacySettings)
    keys: KeySettings = Field(default_factory=KeySettings)
    locations: dict[str, LocationSettings] = Field(
        default_factory=dict, description="Access to buckets and servers, by name."
    )

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # a folder, such as Europe
            message = f"unknown time zone {value!r}; use an IANA name such as Europe/London"
            raise ValueError(message) from error
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - signature of the base class
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the CLI over the environment over the project file."""
        project = InitSettingsSource(settings_cls, init_kwargs=_PENDING.get("project", {}))
        return init_settings, env_settings, project


_PENDING: dict[str, dict[str, Any]] = {}


def load_settings(project_root: Path, **overrides: Any) -> Settings:  # noqa: ANN401 - typed by Settings
    """Read the settings of a project.

    Args:
        project_root: Folder whose ``pyproject.toml`` has ``[tool.cdp]``.
        **overrides: Values from the command line; they win.

    Returns:
        Settings with ``data_dir`` and ``landing_dir`` made absolute below the project root.

    Raises:
        ConfigError: A key is unknown or a value is wrong; says where and what was meant.
    """
    _refuse_unknown_variables()
    _PENDING["project"] = read_project_table(project_root)
    _refuse_written_secrets(project_root, _PENDING["project"])
    try:
        settings = Settings(**{k: v for k, v in overrides.items() if v is not None})
    except ValidationError as error:
        raise _explain(error, project_root) from error
    finally:
        _PENDING.clear()
    data_dir = (project_root / settings.data_dir).absolute()
    landing = settings.landing_dir
    landing_dir = (project_root / landing).absolute() if landing else data_dir / "landing"
    return settings.model_copy(update={"data_dir": data_dir, "landing_dir": landing_dir})


def read_project_table(project_root: Path) -> dict[str, Any]:
    """Return ``[tool.cdp]`` of the project file, empty when there is none.

    Raises:
        ConfigError: The file is not valid TOML.
    """
    path = project_root / PROJECT_FILE
    if not path.is_file():
        return {}
    try:
        document = tomllib.loads(path.read_bytes().decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"not UTF-8: {error.reason} at byte {error.start}",
            where=str(path),
            hint="Save the file as UTF-8.",
        ) from error
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        raise ConfigError(
            f"not valid TOML: {str(error).partition(' (at ')[0]}",
            where=":".join([str(path), *(place.groups() if place else ())]),
            hint="Texts stand in double quotes; a table begins with [name].",
        ) from error
    table: dict[str, Any] = document.get("tool", {}).get("cdp", {})
    return table


def find_project_root(start: Path) -> Path | None:
    """Return the nearest folder at or above ``start`` whose project file has ``[tool.cdp]``."""
    for folder in (start, *start.parents):
        path = folder / PROJECT_FILE
        if path.is_file() and "[tool.cdp" in path.read_text(encoding="utf-8", errors="replace"):
            return folder
    return None


def project_from_environment() -> Path | None:
    """Return ``CDP_PROJECT`` as a path, if set: Airflow workers have no working directory."""
    value = os.environ.get("CDP_PROJECT")
    return Path(value) if value else None


def has_colour_terminal(*, is_terminal: bool) -> bool:
    """Return whether to colour output: a terminal, and ``NO_COLOR`` unset (no-color.org)."""
    return is_terminal and not os.environ.get("NO_COLOR")


def _refuse_unknown_variables() -> None:
    # pydantic-settings ignores a misspelt top-level variable; silence would hide the mistake.
    known = {f"CDP_{name.upper()}" for name in Settings.model_fields} | _CLI_ONLY
    for name in sorted(os.environ):
        if not name.startswith("CDP_"):
            continue
        top = name.split("__")[0]
        if top not in known:
            near = difflib.get_close_matches(top, known, 1)
            hint = f"Did you mean {near[0]}?" if near else "Unset it, or see `cdp doctor`."
            raise ConfigError(f"unknown setting {name}", where="environment", hint=hint)


def _refuse_written_secrets(project_root: Path, table: dict[str, Any]) -> None:
    locations = [
        (("locations", name), access) for name, access in table.get("locations", {}).items()
    ]
    for path, group in [(("keys",), table.get("keys")), (("mail",), table.get("mail")), *locations]:
        for key in sorted(WRITTEN_NOWHERE & set(group if isinstance(group, dict) else ())):
            of = f" of location {path[1]!r}" if path[1:] else f" of {path[0]}"
            raise ConfigError(
                f"the {key}{of} stands in a file",
                where=_locate(project_root / PROJECT_FILE, (*path, key)),
                hint=f"Remove it, and set CDP_{'__'.join((*path, key)).upper()} instead.",
            )


def _explain(error: ValidationError, project_root: Path) -> ConfigError:
    found = [_explain_one(each, project_root / PROJECT_FILE) for each in error.errors()]
    return found[0] if len(found) == 1 else CombinedConfigError(found)


def _explain_one(found: Any, path: Path) -> ConfigError:  # noqa: ANN401 - pydantic's error details
    dotted = ".".join(str(part) for part in found["loc"])
    hint = "See `cdp doctor` for all settings and their meaning."
    if found["type"] == "extra_forbidden":
        group: Any = Settings
        for part in found["loc"][:-1]:
            if group is LocationSettings:
                break
            annotation = group.model_fields[str(part)].annotation
            group = LocationSettings if part == "locations" else annotation
        near = difflib.get_close_matches(str(found["loc"][-1]), list(group.model_fields), 1)
        hint = f"Did you mean {near[0]!r}?" if near else hint
        message = f"unknown setting {dotted!r}"
    else:
        message = f"setting {dotted!r}: {found['msg'].removeprefix('Value error, ')}"
    return ConfigError(message, where=_locate(path, found["loc"]), hint=hint)


def _locate(path: Path, loc: tuple[int | str, ...]) -> str:
    """Return where a setting stands in the project file, under its own table's heading."""
    heading = ".".join(["tool.cdp", *(str(part) for part in loc[:-1])])
    table = ""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for number, line in enumerate(lines, start=1):
        bare = line.strip()
        if bare.startswith("["):
            table = bare.partition("#")[0].strip(" []")
        elif table == heading and bare.startswith((f"{loc[-1]} ", f"{loc[-1]}=")):
            return f"{path}:{number}:{line.index(str(loc[-1])) + 1}"
    return f"{path} [{heading}], or the environment"
