"""Keeps another process from ending: `hold.py PID SECONDS`.

Says `holding` when it is ready. When the process is killed, it stays for so long, as on a busy machine one with much memory
would: not even SIGKILL goes past a debugger that asked to see the end.
"""

import ctypes
import os
import sys
import time

SEIZE, TRACE_EXIT = 0x4206, 0x40
ANY_KIND = 0x40000000

ptrace = ctypes.CDLL(None, use_errno=True).ptrace
ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]

pid, seconds = int(sys.argv[1]), float(sys.argv[2])
if ptrace(SEIZE, pid, None, TRACE_EXIT):
    sys.exit(os.strerror(ctypes.get_errno()))
print("holding", flush=True)
os.waitpid(pid, ANY_KIND)
time.sleep(seconds)
