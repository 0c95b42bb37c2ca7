"""Who is who: person records of all sources become customers with stable ids.

The stages, in order: ``records`` standardises, ``blocking`` proposes pairs, ``compare`` describes
them, ``model`` weighs them, ``cluster`` groups them, ``ids`` names the groups, ``survivorship``
writes one golden record each. ``explain`` and ``evaluate`` read the published result.
"""
