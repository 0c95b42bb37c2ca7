"""The step ``deliver``: what people get once a version is published.

Files and letters first, each once; then the documentation, which describes the same version. Both
may be repeated, and neither changes what was published. They share a step since a task of its own
would cost Airflow more than writing the site does.
"""

from __future__ import annotations

from dataclasses import replace

from cdp_pipeline.activation import deliver
from cdp_pipeline.core.context import RunContext, StepResult
from cdp_pipeline.documentation.site import FOLDER, write_site


def run(context: RunContext) -> StepResult:
    """Deliver the current version, then write ``docs`` in the data folder.

    Raises:
        DeliveryError: Files or the ledger could not be written; a retry may help.
        ConfigError: The folder of the documentation holds something else.
    """
    delivered = deliver.run(context)
    site = write_site(context.project_root, context.settings, context.data_dir / FOLDER)
    state = "written" if site.is_new else "unchanged"
    return replace(
        delivered,
        messages=(*delivered.messages, f"documentation: {site.files} files, {state}"),
        facts={**delivered.facts, "docs": site.files},
    )
