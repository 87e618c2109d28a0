import sys
from pathlib import Path

# A program, not an installed package: `run.py` finds its modules beside itself, and so do these tests.
FOLDER = Path(__file__).parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parent / "bench")]
