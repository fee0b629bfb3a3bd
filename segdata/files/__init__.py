"""Files of commands: where they may be, which of them are ours, and how they are published."""
