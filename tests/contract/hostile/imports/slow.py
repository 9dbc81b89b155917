"""Takes its time when it is imported."""

import time

while time.process_time() < 2.6:
    pass
