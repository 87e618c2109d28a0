"""The messaging documents say what the code does."""

import subprocess
import sys
from pathlib import Path

from vyomo_contracts import subjects

FOLDER = Path(__file__).parents[3] / "docs" / "messaging"


def test_messaging_documents_are_what_the_code_makes_of_them() -> None:
    command = [sys.executable, str(FOLDER / "generate.py"), "--check"]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, f"{done.stdout}{done.stderr}run: python docs/messaging/generate.py"


def test_every_subject_that_carries_messages_is_in_the_table() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    spelled = {
        value
        for name, value in vars(subjects).items()
        if name.isupper() and isinstance(value, str) and not value.endswith(">") and name != "ROOT"
    }

    assert {subject for subject in spelled if f"| `{subject}` |" not in text} == set()
