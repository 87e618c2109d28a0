import signal
import sys

# Until a command is running there is nothing to tell about: Ctrl-C ends us without a traceback.
_HEARD = signal.getsignal(signal.SIGINT)
if _HEARD is signal.default_int_handler:  # else it is ignored, as in a background job
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from vyomo_local.cli import main  # noqa: E402

if __name__ == "__main__":
    signal.signal(signal.SIGINT, _HEARD)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
