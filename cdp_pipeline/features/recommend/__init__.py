"""What a customer will want: again, or for the first time, and how often such lists were right.

``log`` counts who bought what, ``alike`` learns which goods go together, ``rules`` counts baskets,
``ranking`` turns counts into lists, ``contest`` holds every way to rank against baskets held back,
``lists`` explains the winner's lists, ``night`` and ``files`` run all this on a warehouse and on a
file.
"""
