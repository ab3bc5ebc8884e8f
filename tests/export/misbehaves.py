"""A conversion that goes wrong in the way its argument says; run as a process by test_isolated."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

HOW, PLACE = sys.argv[1], Path(sys.argv[2])
print("converting", flush=True)
if HOW == "crash":
    os.kill(os.getpid(), signal.SIGSEGV)
elif HOW == "fail":
    print("operator QUX is not known.\n\n", file=sys.stderr)
    sys.exit(3)
elif HOW == "hang":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    (PLACE / "pids.partial").write_text(f"{os.getpid()} {child.pid}")
    (PLACE / "pids.partial").rename(PLACE / "pids")
    time.sleep(60)
else:
    (PLACE / "done").write_text(HOW)
