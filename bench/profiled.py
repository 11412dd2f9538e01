"""Start Myelin so that it can be profiled: SIGUSR1 begins, SIGUSR2 ends and writes the profile.

The clock is the thread's CPU time: waiting costs nothing, as in the bench's own figures.
"""

import cProfile
import signal
import sys
import time

from myelin.cli.main import main

if __name__ == "__main__":
    target = sys.argv.pop(1)
    profile = cProfile.Profile(time.thread_time)
    signal.signal(signal.SIGUSR1, lambda *_: profile.enable())
    signal.signal(signal.SIGUSR2, lambda *_: (profile.disable(), profile.dump_stats(target)))
    main(sys.argv[1:])
