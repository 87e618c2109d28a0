"""Power cuts and full disks under the project's own servers: `./vyomo durability`, and what the tests run."""

import sys

from vyomo_durability.command import main

if __name__ == "__main__":
    sys.exit(main())
