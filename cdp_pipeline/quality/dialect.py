"""A read-only SQLAlchemy dialect that lets Great Expectations read an open DuckDB connection.

Great Expectations speaks to databases through SQLAlchemy. The dialect here covers what its
expectations ask for and no more: SELECT, reflection of tables and columns, regular expressions.
It never opens a database itself: ``lend`` gives it a connection under a URL for a while. Nothing
about checks belongs here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
from sqlalchemy import pool, types
from sqlalchemy.dialects import postgresql, registry
from sqlalchemy.engine import URL, Connection, default
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.exc import CompileError
from sqlalchemy.sql import compiler
from sqlalchemy.sql.elements import BinaryExpression
from sqlalchemy.sql.operators import custom_op

_LENT: dict[str, duckdb.DuckDBPyConnection] = {}

_TYPES: dict[str, type[types.TypeEngine[Any]]] = {
    "BIGINT": types.BigInteger,
    "BOOLEAN": types.Boolean,
    "DATE": types.Date,
    "DECIMAL": types.Numeric,
    "DOUBLE": types.Float,
    "FLOAT": types.Float,
    "HUGEINT": types.Numeric,
    "INTEGER": types.Integer,
    "SMALLINT": types.SmallInteger,
    "TIMESTAMP": types.DateTime,
    "TIMESTAMP WITH TIME ZONE": types.DateTime,
    "TINYINT": types.SmallInteger,
    "UBIGINT": types.Numeric,
    "UINTEGER": types.BigInteger,
    "VARCHAR": types.String,
}


@contextmanager
def lend(con: duckdb.DuckDBPyConnection, name: str) -> Iterator[str]:
    """Lend a connection to SQLAlchemy and yield the URL under which it is found.

    The connection stays the caller's: SQLAlchemy cannot close it.

    Args:
        con: Open connection; nothing else may use it meanwhile.
        name: Letters and digits that tell this loan from others.
    """
    _LENT[name] = con
    try:
        yield f"duckdb://{name}"
    finally:
        del _LENT[name]


MOST_ROWS = 1_000
"""Rows that a query may hand to Great Expectations: it counts in the database and shows nothing."""


class _Cursor:
    """DB-API cursor whose results are read at once, as DuckDB 2 streams them, and are short.

    A rule that ten million rows break must not bring ten million rows into Python.
    """

    arraysize = 1

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con
        self._rows: list[Any] = []
        self.description: list[Any] | None = None
        self.rowcount = -1

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> None:
        is_query = sql.lstrip()[:6].lower() == "select"
        short = f"select * from ({sql}\n) limit {MOST_ROWS + 1}" if is_query else sql  # noqa: S608 - as it came
        result = self._con.execute(short, parameters or None)
        self.description = result.description
        self._rows = result.fetchall() if self.description else []
        self.rowcount = len(self._rows)

    def fetchone(self) -> Any | None:  # noqa: ANN401 - a row of any types
        return self._rows.pop(0) if self._rows else None

    def fetchmany(self, size: int | None = None) -> list[Any]:
        count = size or self.arraysize
        taken, self._rows = self._rows[:count], self._rows[count:]
        return taken

    def fetchall(self) -> list[Any]:
        if len(self._rows) > MOST_ROWS:
            message = f"a check asked for more than {MOST_ROWS} rows"
            raise duckdb.InternalError(message)
        taken, self._rows = self._rows, []
        return taken

    def close(self) -> None:
        self._rows = []


class _Loan:
    """DB-API connection over a lent one; what would end or change it does nothing."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con

    def cursor(self) -> _Cursor:
        return _Cursor(self._con)

    def commit(self) -> None:
        """Do nothing: checks only read."""

    def rollback(self) -> None:
        """Do nothing: checks only read."""

    def close(self) -> None:
        """Do nothing: the lender closes."""


class _Module:
    """The DB-API module that SQLAlchemy expects."""

    apilevel = "2.0"
    threadsafety = 0
    paramstyle = "qmark"
    Error = duckdb.Error
    DatabaseError = duckdb.Error
    InterfaceError = duckdb.Error
    DataError = duckdb.Error
    OperationalError = duckdb.Error
    IntegrityError = duckdb.Error
    InternalError = duckdb.Error
    ProgrammingError = duckdb.Error
    NotSupportedError = duckdb.Error

    @staticmethod
    def connect(name: str) -> _Loan:
        return _Loan(_LENT[name])


class _Compiler(compiler.SQLCompiler):
    """Standard SQL, with the regular-expression operator as DuckDB's function."""

    def visit_custom_op_binary(
        self,
        element: BinaryExpression[Any],
        operator: custom_op[Any],
        **options: Any,  # noqa: ANN401 - base signature
    ) -> str:
        """Return SQL for ``~``; any other custom operator is refused as unknown to checks."""
        if operator.opstring != "~":
            raise CompileError(f"operator {operator.opstring!r} is not one that checks use")
        # PostgreSQL's ~ finds a pattern anywhere; DuckDB's ~ wants the whole value to match.
        value = self.process(element.left, **options)
        pattern = self.process(element.right, **options)
        return f"regexp_matches(cast({value} as varchar), {pattern})"


class _Preparer(compiler.IdentifierPreparer):
    """Quotes every identifier: DuckDB reserves words that standard SQL does not."""

    def _requires_quotes(self, value: str) -> bool:  # noqa: ARG002 - base signature
        return True


class DuckDBDialect(default.DefaultDialect):
    """What Great Expectations needs of DuckDB."""

    name = "duckdb"
    driver = "lent"
    default_paramstyle = "qmark"
    statement_compiler = _Compiler
    preparer = _Preparer
    supports_statement_cache = True
    supports_native_boolean = True
    supports_native_decimal = True
    default_schema_name = "main"

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - passed through
        """Make the dialect one that Great Expectations sends regular expressions to."""
        super().__init__(**options)
        # It picks the operator for regular expressions by asking whether ``dialect.dialect`` is
        # PostgreSQL's; the compiler above turns that operator into DuckDB's function. On the
        # instance only: SQLAlchemy would take a class attribute for the dialect itself.
        self.dialect = postgresql.dialect

    @classmethod
    def import_dbapi(cls) -> Any:  # noqa: ANN401 - SQLAlchemy's protocol for modules
        """Return the DB-API stand-in."""
        return _Module

    @classmethod
    def get_pool_class(cls, url: URL) -> type[pool.Pool]:  # noqa: ARG003 - base signature
        """Return a pool of exactly one connection: the lent one."""
        return pool.StaticPool

    def create_connect_args(self, url: URL) -> Any:  # noqa: ANN401 - base signature
        """Return the loan's name as the only argument."""
        return (url.host,), {}

    def initialize(self, connection: Connection) -> None:
        """Skip the base class's probing of server settings."""

    def get_columns(
        self,
        connection: Connection,
        table_name: str,
        schema: str | None = None,
        **_: Any,  # noqa: ANN401 - base signature
    ) -> list[ReflectedColumn]:
        """Return the columns of a table, in the table's order."""
        rows = connection.exec_driver_sql(
            "select column_name, data_type, is_nullable from information_schema.columns "
            "where table_catalog in (current_database(), 'temp') and table_schema = ? "
            "and table_name = ? order by ordinal_position",
            (schema or self.default_schema_name, table_name),
        )
        return [
            {
                "name": name,
                "type": _TYPES.get(data_type.split("(")[0], types.String)(),
                "nullable": nullable == "YES",
                "default": None,
            }
            for name, data_type, nullable in rows.fetchall()
        ]

    def get_pk_constraint(self, *_: Any, **__: Any) -> Any:  # noqa: ANN401 - base signature
        """Return no key: ours stand in headers and are checked, not declared to the engine."""
        return {"constrained_columns": [], "name": None}


registry.register("duckdb", __name__, "DuckDBDialect")
