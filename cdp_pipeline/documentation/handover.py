"""The step ``deliver``: what people get once a version is published.

The names that they know lead to it, even if the run that published it died at once; then files and
letters, each once; then files past their time are deleted; then what people asked of their own
data; what was delivered is sealed, since nothing reads it any more tonight, as is what lay in the
outbox long enough to be picked up; then the documentation, which describes the version as that
leaves it. All may be repeated. They share a step since tasks of their own would cost Airflow more
than they do.
"""

from __future__ import annotations

from dataclasses import replace

from cdp_pipeline.activation import deliver
from cdp_pipeline.core.context import RunContext, StepResult
from cdp_pipeline.documentation.site import FOLDER, write_site
from cdp_pipeline.ingest.sealing import seal_deliveries
from cdp_pipeline.ingest.sweeping import sweep
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.rights import requests
from cdp_pipeline.storage.at_rest import Sealing
from cdp_pipeline.storage.exports import close_outbox
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.versions import finish_publication


def run(context: RunContext) -> StepResult:
    """Deliver the current version, delete what is past its time, honour requests, write ``docs``.

    Raises:
        DeliveryError: Files or the ledger could not be written; a retry may help.
        ConfigError: The folder of the documentation holds something else.
        PrivacyError: Something of a person who was to be erased is left.
    """
    finish_publication(context.settings, DataPaths.of(context))
    delivered = deliver.run(context)
    swept = sweep(context)
    honoured = requests.run(context)
    sealed = seal_deliveries(context, load_project(context.project_root))
    closed = close_outbox(
        DataPaths.of(context),
        context.settings.keys,
        night=context.business_date,
        days=context.settings.privacy.outbox_days,
    )
    site = write_site(context.project_root, context.settings, context.data_dir / FOLDER)
    state = "written" if site.is_new else "unchanged"
    return replace(
        delivered,
        messages=(
            *delivered.messages,
            *swept.words(),
            *honoured.messages,
            *_words(sealed, "deliveries"),
            *_words(closed, "the outbox"),
            f"documentation: {site.files} files, {state}",
        ),
        facts={
            **delivered.facts,
            "expired_files": swept.deliveries + swept.quarantine,
            "requests": honoured.facts,
            "docs": site.files,
        },
    )


def _words(sealed: Sealing, of: str) -> list[str]:
    words = [f"{sealed.files} files of {of} encrypted"] if sealed.files else []
    if sealed.problems:
        left = len(sealed.problems)
        words.append(f"{left} files of {of} stay in clear, such as {sealed.problems[0]}")
    return words
