"""The ``cdp`` command: parse, call, print. Logic lives in the layers below."""
