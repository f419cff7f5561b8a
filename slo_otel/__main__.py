"""`python -m slo_otel`: the `slo-otel` command."""

from __future__ import annotations

import sys

from slo_otel.cli import main

if __name__ == "__main__":
    sys.exit(main())
