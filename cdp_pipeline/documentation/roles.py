"""Who reads the site and where each begins; texts only."""

from __future__ import annotations

from dataclasses import dataclass

from cdp_pipeline.project.queries import Role


@dataclass(frozen=True)
class Start:
    """One thing somebody wants, the page that has it, and the command that does it."""

    want: str
    page: str
    command: str = ""


@dataclass(frozen=True)
class RolePage:
    """Entry page of a role."""

    role: Role
    title: str
    lead: str
    starts: tuple[Start, ...]


ROLE_PAGES = (
    RolePage(
        "analyst",
        "Analyst",
        "One DuckDB file holds everything: facts at the lowest grain, dimensions, one wide row a "
        "customer, one table a question. Every column says what it means, in which unit, and "
        "where it comes from.",
        (
            Start("Find a table or a column", "tables.html", 'cdp query "show all tables"'),
            Start("See what a figure is made of", "lineage.html"),
            Start("Begin with a tested query", "queries.html", "cdp query --list"),
            Start("Know how fresh it is", "freshness.html", "cdp status"),
            Start("Judge the forecasts", "models.html"),
            Start("Add a table", "tables.html", "cdp check"),
        ),
    ),
    RolePage(
        "marketer",
        "Marketer",
        "A segment is one short file: a condition over what is known of a customer. Consent, caps "
        "and holdouts are applied on the way out, for every file, by one gate.",
        (
            Start("See who is in which segment and why", "segments.html"),
            Start("See what is sent to whom, and when it ends", "triggers.html"),
            Start("See where files go and what they hold", "destinations.html", "cdp export"),
            Start("Find a column for a new segment", "tables/features.customer_features.html"),
            Start("Why did this customer get a message?", "glossary.html", "cdp explain CUSTOMER"),
        ),
    ),
    RolePage(
        "manager",
        "Manager",
        "The report arrives by e-mail every morning. Every number in it leads back to the "
        "delivered files that it was made of.",
        (
            Start("What does a number in the report mean?", "reports.html", "cdp report --open"),
            Start("Where does it come from?", "lineage.html"),
            Start("Is everything up to date?", "freshness.html", "cdp status"),
            Start("What do the words mean?", "glossary.html"),
        ),
    ),
    RolePage(
        "steward",
        "Data steward",
        "The pipeline decides which records are one person and says how sure it is. Where it is "
        "not, you decide; what you decide outranks every score and survives every rerun.",
        (
            Start("Decide open pairs", "tables/identity.review.html", "cdp review"),
            Start("Why are these one person?", "tables/identity.edges.html", "cdp explain A B"),
            Start(
                "What changed last night?",
                "tables/identity.changes.html",
                "cdp identity status",
            ),
            Start(
                "How good is the linkage?",
                "tables/marts.identity_accuracy.html",
                'cdp query "from marts.identity_accuracy"',
            ),
            Start("Undo a merge", "tables/identity.judgements.html", "cdp unmerge CUSTOMER"),
        ),
    ),
    RolePage(
        "privacy",
        "Privacy officer",
        "Personal data is declared column by column, with its kind and the key of the person. What "
        "is not declared does not load; what is declared can be found, exported and erased.",
        (
            Start("Where is personal data, and whose?", "personal_data.html"),
            Start("What leaves, for which purpose?", "destinations.html", "cdp export"),
            Start(
                "Who agreed to what?",
                "tables/core.fct_consents.html",
                'cdp query "from marts.consent_by_channel"',
            ),
            Start(
                "Which requests are open?",
                "tables/core.privacy_requests.html",
                'cdp query "from marts.privacy_requests_open"',
            ),
            Start("Which files bring personal data?", "sources.html"),
        ),
    ),
    RolePage(
        "engineer",
        "Data engineer",
        "Deliveries are described, not programmed. The night is one list of steps; what is wrong "
        "with a row, a file or a table is said with place and remedy.",
        (
            Start("What runs when, after what?", "timetable.html", "cdp plan"),
            Start("What must a file look like?", "sources.html", "cdp check"),
            Start("What was set aside?", "freshness.html", "cdp quarantine list"),
            Start("Is the machine all right?", "freshness.html", "cdp doctor"),
            Start("What breaks if I change this?", "lineage.html"),
        ),
    ),
)
"""In the order of the front page."""
