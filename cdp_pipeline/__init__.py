"""A nightly customer data platform for a department store.

=============  ======================================================================
cli            the ``cdp`` command: parse, call, print
documentation  the site that explains tables, lineage, segments and the night
orchestration  the one step graph, the local runner, the Airflow adapter
ingest         deliveries to typed staging tables, bad rows to quarantine
quality        Great Expectations gates and conservation checks
identity       records to people: block, compare, estimate, cluster, stable ids
warehouse      the SQL models of ``sql/``, in dependency order
features       purchase models behind CLV
segments       predicates to members, joiners, leavers, holdouts
activation     consent-gated files for receiving systems
reporting      marts to one self-contained HTML page and an e-mail
sample         a generated store with known truth
privacy        the consent gate
storage        paths, versions, lock, connections
project        declarations: contracts, headers, segments, reports
core           errors, settings, context, log
=============  ======================================================================
"""

__version__ = "0.1.0"
