"""Starts a thread and sets logging up when it is imported."""

import logging
import threading

logging.basicConfig(level=logging.DEBUG)
threading.Thread(target=threading.Event().wait, args=(5,), name="watcher", daemon=True).start()
