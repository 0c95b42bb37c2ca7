"""The fault catalogue: what can go wrong, what must happen then, and which tests hold it.

``make scorecard OPTIONS=--faults`` prints it. A test is named by ``file::part of its name``; behind
a ``#`` stands the case of its table that is meant.
"""

from __future__ import annotations

from dataclasses import dataclass

KILLS, PUBLICATION = "tests/faults/test_kills.py", "tests/faults/test_publication.py"
AROUND, AGAIN = "tests/faults/test_surroundings.py", "tests/faults/test_deliveries_again.py"
HOSTILE, INGEST = "tests/hostile/test_hostile_files.py", "tests/unit/ingest"
FINE, ASIDE = f"{HOSTILE}::awkward_but_sound", f"{HOSTILE}::bad_row_is_set_aside"
REFUSED = f"{HOSTILE}::cannot_be_trusted"
LANDING, INJECTION = f"{INGEST}/test_landing.py", "tests/security/test_injection.py"


@dataclass(frozen=True)
class Fault:
    """One row.

    Attributes:
        what: What goes wrong.
        then: What must happen.
        tests: Tests that hold it; none says that nothing does.
    """

    what: str
    then: str
    tests: tuple[str, ...] = ()


def _cases(test: str, names: str) -> tuple[str, ...]:
    return tuple(f"{test}#{name}" for name in names.split())


FAULTS = (
    Fault("kill -9 at or within a step, at a call", "run again: everything once; prior stays",
          (f"{KILLS}::killed_as_each_step", f"{KILLS}::killed_within_each_step",
           f"{PUBLICATION}::killed_at_every_call", f"{PUBLICATION}::killed_at_every_single")),
    Fault("power cut", "old night or new, whole; what was acknowledged is there",
          ("tests/faults/test_power_cuts.py::leaves_the_old_night_or_the_new",
           f"{PUBLICATION}::on_disk_before_readers")),
    Fault("disk full, read-only", "named with path; prior stays; next night right",
          (f"{AROUND}::full_disk", f"{AROUND}::read_only")),
    Fault("fsync fails (EIO)", "nothing is published", (f"{PUBLICATION}::failing_fsync",)),
    Fault("out of memory", "nothing is published, or all", (f"{AROUND}::without_memory",)),
    Fault("one date twice at once", "one wins, the others name it",
          (f"{AROUND}::of_runs_at_once", "tests/unit/storage/test_lock.py::told_who_holds")),
    Fault("overlapping backfill", "one after the other; order decides nothing",
          (f"{AROUND}::overlapping_backfill", f"{AGAIN}::any_order")),
    Fault("a worker dies, Airflow tries again", "nothing loaded or mailed twice",
          (f"{KILLS}::ends_and_resumed", "tests/dags/test_dag_run.py::night_to_success",
           "tests/unit/activation/test_deliver.py::does_not_send_again")),
    Fault("daylight saving, zones, clock backwards", "business day of the store; ids go forward",
          (f"{AROUND}::clock_decides", f"{AROUND}::clock_that_jumps", f"{AROUND}::business_day",
           *_cases(FINE, "no_such_hour_in_spring offset_wins"))),
    Fault("late file", "into its own day; totals as if on time",
          (f"{AGAIN}::any_order", f"{INGEST}/test_drift.py::late_missing_vanished")),
    Fault("same bytes, any name", "skipped by hash and counted",
          (f"{LANDING}::another_name_are_a_duplicate", f"{AGAIN}::history")),
    Fault("same name, other bytes", "replaces the earlier file",
          (f"{LANDING}::other_bytes_under_a_known_name",)),
    Fault("file still being written", "waits for marker, manifest or rest",
          (f"{INGEST}/test_collecting.py::growing_file_waits",
           f"{INGEST}/test_collecting.py::without_its_marker")),
    Fault("no bytes; a header only", "refused; no rows and a warning",
          (*_cases(REFUSED, "empty"), *_cases(FINE, "header_only"))),
    Fault("ten times or a tenth of the volume", "held against the usual, stopped if declared",
          (f"{INGEST}/test_drift.py::volume", f"{INGEST}/test_entities.py::volumes_stop")),
    Fault("gz cut, corrupt, with a tail, none; bomb", "refused",
          _cases(REFUSED, "gzip_cut gzip_wrong_checksum gzip_with_a_tail gzip_that_is_none "
                          "gzip_without_suffix gzip_bomb zstd_cut")),
    Fault("other delimiter or encoding; Excel, PDF, a page", "refused with the remedy",
          _cases(REFUSED, "semicolon tab pipe utf16 cp1252 excel pdf parquet_named_csv "
                          "error_page random_bytes")),
    Fault("mark of bytes, line ends, blank lines", "loaded",
          _cases(FINE, "byte_order_mark cr_lf cr_only mixed_line_ends blank_lines "
                       "no_final_newline")),
    Fault("NUL, bad or overlong UTF-8", "row set aside; a tenth of them: refused",
          (*_cases(ASIDE, "nul_in_a_field nul_tail row_not_utf8 overlong_utf8"),
           *_cases(REFUSED, "a_tenth_is_bad"))),
    Fault("line break, quote, delimiter in a field", "loaded byte for byte",
          _cases(FINE, "embedded_newline embedded_quotes embedded_delimiter")),
    Fault("quote that never closes", "refused with its line; one line where records are lines",
          (*_cases(REFUSED, "quote_never_closes"), f"{HOSTILE}::stray_quote_costs_one_line")),
    Fault("ragged rows, trailer, repeated header, half a line", "row set aside",
          (*_cases(ASIDE, "row_too_short row_too_long trailer_row header_repeated"),
           f"{HOSTILE}::half_of_the_last_line")),
    Fault("column renamed, missing, twice; no header", "refused with a suggestion",
          _cases(REFUSED, "column_renamed column_missing column_twice no_header")),
    Fault("columns reordered, in capitals, extra", "loaded by name; extra ones reported",
          (*_cases(FINE, "columns_reordered header_in_capitals extra_column"),
           f"{HOSTILE}::unknown_columns_are_reported")),
    Fault("1e308, NaN, hex, 1_000, other digits, 12,50", "row set aside, unless declared",
          (*_cases(ASIDE, "1e308 nan infinity hex underscore arabic_digits comma_decimal "
                          "thousands"), *_cases(FINE, "comma_decimals_declared"))),
    Fault("negative quantity", "a return; signs that differ: set aside",
          (*_cases(FINE, "return"), *_cases(ASIDE, "signs_differ"))),
    Fault("dates of the future, 1899, 30 February, 03/04, leap second", "row set aside",
          _cases(ASIDE, "from_the_future in_1899 30_february day_first leap_second")),
    Fault("a key twice: same row, another row", "counted as duplicate; set aside or newest wins",
          (f"{INGEST}/test_entities.py::loaded_quarantined_duplicates",
           f"{INGEST}/test_entities.py::version_sent_again")),
    Fault("decomposed accents, emoji, right to left", "kept as delivered; matched in one form",
          (*_cases(FINE, "decomposed_accents emoji_and_right_to_left"),
           "tests/unit/identity/test_records.py::comparable_form")),
    Fault("a look-alike letter in an address", "loaded as delivered",
          _cases(FINE, "homoglyph")),
    Fault("field of 3 MB, 100,000 columns", "row set aside; refused; memory bounded",
          (*_cases(ASIDE, "line_over_2_mb field_over_64_kb"),
           *_cases(REFUSED, "hundred_thousand_columns"))),
    Fault("formula in a name", "no cell of ours starts one",
          ("tests/unit/activation/test_dialects.py::starts_a_formula",
           "tests/unit/identity/test_steward_commands.py::cells_are_no_formulas")),
    Fault("markup in a name", "text on every page",
          ("tests/unit/reporting/test_render.py::names_from_data_stay_text",
           "tests/unit/documentation/test_hostile.py::nothing_hostile_becomes_markup")),
    Fault("SQL in settings, names of files and columns", "inert",
          (f"{INJECTION}::inert_in_sql", f"{INJECTION}::path_of_the_data_folder",
           *_cases(FINE, "sql_in_a_value sql_in_an_unknown_header"))),
    Fault("paths that lead out, links, pipes", "refused and not opened",
          (f"{LANDING}::links_pipes_and_odd_names", f"{LANDING}::lead_out_of_landing",
           f"{INGEST}/test_collecting.py::links_are_refused")),
    Fault("open umask", "files 0640, folders 0750 at most", ("tests/security/test_modes.py::",)),
    Fault("personal data or secrets in logs, XCom, pages", "none",
          ("tests/privacy/test_canaries.py::", f"{INJECTION}::secrets")),
    Fault("line break in a mail's header", "none begins another; recipients are settings",
          ("tests/unit/reporting/test_mail.py::begins_another_header",)),
    Fault("hostile YAML", "safe loader; keys twice, depth and truths as texts refused",
          (f"{INJECTION}::hostile_declarations", "tests/hostile/test_fuzzing.py::declarations")),
)  # fmt: skip
