"""What people agreed to, as each card and account records it.

Answers to consent questions belong here; who may be contacted is for the pipeline to decide.
"""

from __future__ import annotations

import numpy as np

from cdp_pipeline.sample.arrays import Ints, happens
from cdp_pipeline.sample.people import People

ASKED_NOT, YES, NO = range(3)
_AGREES = {"email": 0.70, "sms": 0.35, "post": 0.45, "push": 0.40, "profiling": 0.62}
_ASKED_SHARE = 0.88
_INCONSISTENT_SHARE = 0.06

Answers = dict[str, Ints]


def draw_attitudes(people: People, rng: np.random.Generator) -> Answers:
    """Return for each purpose whether each person tends to agree (1) or not (0)."""
    return {
        purpose: np.asarray(happens(rng, share, len(people)) | people.is_cast, dtype=np.int64)
        for purpose, share in _AGREES.items()
    }


def answer_questions(
    attitudes: Answers, people: People, owner: Ints, rng: np.random.Generator
) -> Answers:
    """Return the answers on each card or account: ASKED_NOT, YES or NO by purpose.

    The same person does not always answer the same. The cast agrees to everything.
    """
    clean = people.is_cast[owner]
    count = len(owner)
    answers = {}
    for purpose, attitude in attitudes.items():
        flips = happens(rng, _INCONSISTENT_SHARE, count) & ~clean
        agrees = (attitude[owner] == 1) ^ flips
        asked = happens(rng, _ASKED_SHARE, count) | clean
        answers[purpose] = np.where(asked, np.where(agrees, YES, NO), ASKED_NOT)
    return answers
