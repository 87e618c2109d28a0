"""`./vyomo chaos`: break a system of its own for some minutes and count what was lost, doubled or left behind."""

import sys
from pathlib import Path

# The system under test is started and asked with the bench's tools.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

from vyomo_chaos.command import main

if __name__ == "__main__":
    sys.exit(main())
