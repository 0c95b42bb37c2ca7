"""What people decided about records, and the queue of pairs that are worth their time.

Here: the journal, what all judgements together demand, the review in terminal and CSV. Not here:
how grouping obeys them (``grouping.bonds``, ``grouping.judged``).
"""
