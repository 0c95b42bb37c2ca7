"""Who is who: person records of all sources become customers with stable ids.

The stages, in order: ``standard`` cleans, ``scoring`` proposes and weighs pairs, ``grouping`` makes
customers of them and keeps their ids, ``golden`` chooses their values, ``release`` decides whether
they may be published. ``stewardship`` holds what people decided, ``explaining`` and ``measuring``
read the result, and ``files`` does it all for any files without a project.
"""
