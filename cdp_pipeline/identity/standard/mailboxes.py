"""What a mailbox's name says beyond the names of its owner: its peculiarity, in letters.

Namesakes have the same addresses at other providers, but hardly the same peculiarity. So a letter
counts only where no form of the owner's names explains it: james.anderson@ is no peculiarity of a
Jamie, ukasz@ none of a Łukasz, jmacleod@ none of a Joseph MacLeod. How two mailboxes compare
belongs in ``project/levels``.
"""

from __future__ import annotations

from cdp_pipeline.identity.standard.spelling import fold_sql

LETTERS = "regexp_replace(email_name, '[0-9._-]+', '', 'g')"
"""SQL of the letters of a mailbox's name, without marks and digits."""

DIGITS = "regexp_replace(r.email_name, '[a-z._-]+', '', 'g')"
"""SQL of its digits."""

_WITHOUT_FAMILY = """replace(
    replace({letters}, coalesce({whole}, '?'), ''),
    coalesce({last}, '?'),
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
    when r.email_left = '' then 0
    when (n.root_bits & k.root_bits) <> 0 and translate(n.roots, k.roots, '') <> n.roots then 0
    when r.family_folded is not distinct from r.family_name
        and g.folded is not distinct from r.given_name
        and {letters} = r.email_letters then length(r.email_left)
    else least(length(r.email_left), length({folded}))
end"""
# Most names and addresses are folded already: only the others are taken apart a second time.


def rest_sql() -> str:
    """Return SQL for the ``email_letters`` of ``r`` that the family name ``f`` leaves."""
    return _WITHOUT_FAMILY.format(letters="r.email_letters", whole="f.joined", last="f.last_word")


def left_sql() -> str:
    """Return SQL for the letters of ``r`` that neither name, as it is written, explains."""
    return _LEFT.format(given="r.given_name", rest="r.email_rest")


def email_own_sql() -> str:
    """Return SQL for the number of letters that no form of the owner's names explains.

    Names as they are written are tried first: folding a whole address would also fold what only
    two names side by side make, such as the two a of brenda.ashburn.
    """
    letters = fold_sql("r.email_letters")
    folded = _WITHOUT_FAMILY.format(
        letters=letters, whole="r.folded_joined", last="r.folded_last_word"
    )
    return _OWN.format(letters=letters, folded=_LEFT.format(given="g.folded", rest=folded))
