"""What every test stands on."""

import signal

# A suite that a shell runs in the background ignores Ctrl-C, and so would whatever its tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
