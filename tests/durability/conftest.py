import sys
from pathlib import Path

# A program, not an installed package: `run.py` finds its modules beside itself, and so do these tests.
sys.path.insert(0, str(Path(__file__).parent))
