"""The one step graph, the local runner, the Airflow adapter."""
