"""What the machine itself takes for a page of memory that nobody has used for a while.

    python3 scripts/bench/pages.py 1200      # MiB; prints the slowest page, µs

A virtual machine whose host takes back what lies idle waits for the host at the first touch of such a page: 7 ms
were seen, where the same pages took 0.4 ms at most a second later. Whoever measures the slowest of many steps that
take memory measures that, unless the memory was touched a moment before. So this is the control, and makes ready.
"""

import mmap
import pathlib
import subprocess
import sys
import time

import servers

MIB = 1 << 20
TOUCH_S_MAX = 120


def slowest_us(cores, size):
    """Touches `size` bytes of fresh memory on `cores` and gives them back; the slowest page, µs."""
    words = [sys.executable, str(pathlib.Path(__file__)), str(-(-size // MIB))]
    done = subprocess.run(
        words, check=True, capture_output=True, timeout=TOUCH_S_MAX, preexec_fn=servers.child_setup(cores)
    )
    return float(done.stdout)


def _touch(size):
    fresh, clock, slowest = mmap.mmap(-1, size), time.perf_counter_ns, 0
    for at in range(0, size, mmap.PAGESIZE):
        before = clock()
        fresh[at] = 1
        slowest = max(slowest, clock() - before)
    return slowest / 1000


if __name__ == "__main__":
    print(_touch(int(sys.argv[1]) * MIB))
