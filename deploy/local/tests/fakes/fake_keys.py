import sys
from pathlib import Path

for name in ("workers.key", "workers.pub", "api-key-pepper"):
    (Path(sys.argv[sys.argv.index("--keys-dir") + 1]) / name).write_bytes(bytes(32))
