"""What a mailbox's name says beyond the names of its owner: its peculiarity, in letters.

Namesakes have the same addresses at other providers, but hardly the same peculiarity. So a letter
counts only where no form of the owner's names explains it: james.anderson@ is no peculiarity of a
Jamie, ukasz@ none of a Łukasz, jmacleod@ none of a Joseph MacLeod. How two mailboxes compare
belongs in ``project/levels``.
"""

from __future__ import annotations

from cdp_pipeline.identity.standard.spelling import fold_sql

LETTERS = "regexp_replace(r.core, '[0-9]+', '', 'g')"
"""SQL of the letters of a mailbox's name, without marks and digits."""

_WITHOUT_FAMILY = """replace(
    replace({letters}, coalesce(replace({family}, ' ', ''), '?'), ''),
    coalesce(split_part({family}, ' ', -1), '?'),
    ''
)"""

_LEFT = """case
    when {given} is null then {rest}
    when contains({given}, {rest}) then ''
    else replace({rest}, {given}, '')
end"""
# What is left of "jmacleod" or of "tomsmith" is a part of Joseph's and of Tommy's name.

_OWN = """
case
    when (n.root_bits & k.root_bits) <> 0 and translate(n.roots, k.roots, '') <> n.roots then 0
    else least(length({plain}), length({folded}))
end"""


def rest_sql() -> str:
    """Return SQL for the letters of the mailbox ``r`` that the family name ``f`` leaves."""
    return _rest(LETTERS, "r.family_name")


def email_own_sql() -> str:
    """Return SQL for the number of letters that no form of the owner's names explains.

    Names as they are written are tried first: folding a whole address would also fold what only
    two names side by side make, such as the two a of brenda.ashburn.
    """
    folded = _rest(fold_sql(LETTERS), "f.folded")
    return _OWN.format(
        plain=_LEFT.format(given="r.given_name", rest=rest_sql()),
        folded=_LEFT.format(given="g.folded", rest=folded),
    )


def _rest(letters: str, family: str) -> str:
    return _WITHOUT_FAMILY.format(letters=letters, family=family)
