"""A plugin that is broken on purpose: its entry point leads nowhere."""
