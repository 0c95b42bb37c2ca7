"""What has arrived: fetch deliveries, then find and recognise them; the step ``discover``."""

from __future__ import annotations

from dataclasses import replace

from cdp_pipeline.core.context import RunContext, StepResult, abridged
from cdp_pipeline.ingest import collecting, landing


def run(context: RunContext) -> StepResult:
    """Fetch what lies elsewhere into landing and write the plan of the night.

    Returns:
        Deliveries found, and of them the new ones; ``facts`` count them by status, and files
        fetched by source.

    Raises:
        ConfigError: A location cannot be used, a later night is published, or a path is unsafe.
        OriginError: The location of a required source does not answer.
        SourceNotReadyError: A required source has no file for the night.
    """
    fetched = collecting.collect(context)
    found = landing.run(context)
    said = (*fetched.messages, *found.messages)
    messages = abridged(said, rest="after the night, the table ops.deliveries has every file")
    return replace(found, messages=messages, facts={**fetched.facts, **found.facts})
