"""``python -m cdp_pipeline`` and the ``cdp`` command: run it, turn errors into words and codes."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    from cdp_pipeline.cli.app import run_app  # noqa: PLC0415 - `import cdp_pipeline` stays light

    sys.exit(run_app(sys.argv[1:]))


if __name__ == "__main__":
    main()
