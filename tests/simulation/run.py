"""`./vyomo simulate`: the order protocol's real code, on virtual time, among faults drawn from a seed."""

import sys

from vyomo_simulation.command import main

if __name__ == "__main__":
    sys.exit(main())
