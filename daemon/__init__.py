"""What the two daemons share: configuration, logs, figures, signals, threads and recordings.

Errors::

    DaemonError            one line for the user; never a traceback
    ├── UsageError         the user can mend it by typing something else: exit 2
    └── RunError           something outside went wrong while running: exit 1
"""
