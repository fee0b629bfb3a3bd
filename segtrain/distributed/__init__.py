"""Processes that train one network together, and the device of each process."""
