"""`./vyomo bench`: measure a system of its own, started in a temporary folder and stopped at the end."""

import sys

from vyomo_bench.command import main

if __name__ == "__main__":
    sys.exit(main())
