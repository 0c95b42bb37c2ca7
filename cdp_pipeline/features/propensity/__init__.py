"""How likely a person is to do something soon, learned from past days: one file a propensity.

``windows`` rebuilds what was known on a day, ``forest`` learns, ``rules`` is what everybody could
apply, ``contest`` holds all against what happened, ``importance`` says what told, ``night`` serves.
"""
