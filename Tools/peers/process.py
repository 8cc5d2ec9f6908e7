# SPDX-License-Identifier: Apache-2.0
"""What the system says about this process's memory."""


def memory() -> dict[str, int]:
    """Bytes: `VmHWM` is the peak, `RssAnon` and `RssFile` are what is resident now."""
    fields = {}
    with open("/proc/self/status") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name in ("VmHWM", "RssAnon", "RssFile"):
                fields[name] = int(value.split()[0]) * 1024
    return fields
