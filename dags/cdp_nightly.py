"""Landing to exports and reports, every night.

Owner: data engineering. The steps are those of `cdp plan`; a red task says what, where and how to
mend it. Fix the cause, then clear the task: finished steps are not repeated.
"""

from __future__ import annotations

from cdp_pipeline.orchestration.airflow import build_nightly_dag

dag = build_nightly_dag(__file__, documentation=__doc__)
