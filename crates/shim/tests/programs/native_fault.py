"""Dies of a real SIGSEGV in C code, below some calls of its own, once it gets SIGUSR1 or at once."""
import ctypes
import signal
import sys
import threading


class Till:
    def charge(self, address):
        return ctypes.string_at(address)


def pay(order):
    return Till().charge(order)


def sort_by(order):
    # through C code that calls back, so that the interpreter is entered a second time
    return sorted([3, 1, 2], key=lambda _: pay(order))


def on_signal(_number, _frame):
    sort_by(1)


if "thread" in sys.argv:
    threading.Thread(target=sort_by, args=(1,)).start()
elif "wait" in sys.argv:
    signal.signal(signal.SIGUSR1, on_signal)
    print("ready", flush=True)
    while True:
        signal.pause()
else:
    sort_by(1)
