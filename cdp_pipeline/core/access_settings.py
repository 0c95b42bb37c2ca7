"""Settings that let us in elsewhere: keys, the mail server, where deliveries come from.

Groups of ``settings.Settings``. What is secret here comes from the environment, from a file that
only its owner may read, or from an Airflow connection; never from the project's files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from cdp_pipeline.core.unseen import OneLine

WRITTEN_NOWHERE = frozenset({"master", "password", "secret"})
"""Fields whose value may not stand in ``pyproject.toml``."""


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KeySettings(_Group):
    """Master keys, the newest first, separated by white space; one place of the three.

    Without any, the published example key is used, and ``cdp doctor`` says so.
    """

    master: SecretStr | None = Field(default=None, description="The keys themselves.")
    file: Path | None = Field(
        default=None, description="File of the keys that only its owner may read (mode 0400)."
    )
    airflow_connection: str | None = Field(
        default=None, description="Airflow connection whose password holds the keys."
    )
    is_required: bool = Field(
        default=False, description="Whether to refuse to work with the example key."
    )


class MailSettings(_Group):
    """Mail server for reports; without a host, only the .eml file is written."""

    host: OneLine | None = Field(default=None, description="SMTP host name.")
    port: int = Field(default=587, ge=1, le=65535, description="SMTP port.")
    user: str | None = Field(default=None, description="Login name.")
    password: SecretStr | None = Field(default=None, description="Login password.")
    security: Literal["none", "starttls", "tls"] = Field(
        default="starttls", description="Transport security."
    )
    sender: OneLine = Field(default="cdp@localhost", description="Address in From.")
    recipients: dict[str, list[OneLine]] = Field(
        default_factory=dict, description="Group name to addresses; reports name groups."
    )
    allowed_domains: list[OneLine] = Field(
        default_factory=list, description="Domains reports may go to; empty allows all."
    )
    timeout_seconds: int = Field(default=30, ge=1, description="Wait for the server, in seconds.")


class LocationSettings(_Group):
    """How to sign in where deliveries come from; contracts name it as ``access:``.

    Without a key, S3 asks the machine's own role or profile and SFTP the user's keys.
    """

    key: str | None = Field(default=None, description="S3: id of the access key.")
    secret: SecretStr | None = Field(default=None, description="S3: secret of the access key.")
    region: str | None = Field(default=None, description="S3: region of the bucket.")
    endpoint: str | None = Field(default=None, description="S3: URL of a server other than AWS.")
    user: str | None = Field(default=None, description="SFTP: login name.")
    password: SecretStr | None = Field(default=None, description="SFTP: password.")
    key_file: Path | None = Field(default=None, description="SFTP: file of the private key.")
    known_hosts: Path | None = Field(
        default=None, description="SFTP: file of host keys; default: ~/.ssh/known_hosts."
    )
    timeout_seconds: int = Field(default=30, ge=1, description="Wait for an answer, in seconds.")
