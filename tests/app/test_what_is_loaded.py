"""What a server loads when it starts: every library that only some need waits until it is needed."""

import subprocess
import sys

LATER = ("aiosmtplib", "babel", "jinja2", "joserfc", "phonenumbers", "PIL", "selectolax", "zxcvbn")


def test_libraries_wait_until_they_are_needed() -> None:
    code = f"import sys, myelin.app.build; print(*[name for name in {LATER!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
